// Finds what is set for a host by the domains it lies in.

/** Domains, each with its sub-domains; `*` is every host. */
export type DomainSet = ReadonlySet<string>;

/** Finds what is set for the longest domain that is the host or holds it. @param host lower case, no trailing dot */
export function findByDomain<T>(host: string, domains: ReadonlyMap<string, T>): T | undefined {
  if (domains.size === 0) return undefined;
  for (const name of domainsOf(host)) {
    const found = domains.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a host lies in one of the domains. @param host lower case, no trailing dot */
export function isInDomains(host: string, domains: DomainSet): boolean {
  if (domains.size === 0) return false;
  if (domains.has('*')) return true;
  for (const name of domainsOf(host)) if (domains.has(name)) return true;
  return false;
}

function* domainsOf(host: string): Generator<string> {
  for (let name = host; name !== ''; name = parentOf(name)) yield name;
}

function parentOf(name: string): string {
  const dot = name.indexOf('.');
  return dot === -1 ? '' : name.slice(dot + 1);
}
