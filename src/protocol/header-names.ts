// Names of the protocol's header fields, in the case in which answers must carry them: some clients compare names with
// `===`. Also: which fields end at a proxy and never reach a target.

/** Fields of the protocol that this gateway reads or writes. */
export const HEADER = {
  session: 'X-Crawlera-Session',
  version: 'X-Crawlera-Version',
  error: 'X-Crawlera-Error',
  outgoingIp: 'X-Crawlera-Slave',
  nextRequestIn: 'X-Crawlera-Next-Request-In',
  retryAfter: 'Retry-After',
  proxyAuthenticate: 'Proxy-Authenticate',
  wwwAuthenticate: 'WWW-Authenticate',
} as const;

/** Value of the session header that asks for a new session; compared without regard to case. */
export const CREATE_SESSION = 'create';

const OUR_PREFIXES = ['x-crawlera-', 'zyte-'];

/** Fields that speak of one connection only, and credentials meant for a proxy. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether a field, known or not, belongs to the protocol and so never crosses the gateway. */
export function isProtocolHeader(lowerCaseName: string): boolean {
  return OUR_PREFIXES.some((prefix) => lowerCaseName.startsWith(prefix));
}

/** Whether a field ends at this hop. `connectionOptions` are the names that the `Connection` field lists. */
export function isHopByHop(lowerCaseName: string, connectionOptions: ReadonlySet<string>): boolean {
  return HOP_BY_HOP.has(lowerCaseName) || connectionOptions.has(lowerCaseName);
}
