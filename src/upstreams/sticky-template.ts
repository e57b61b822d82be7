// Users and passwords with placeholders in them, as they are written in a URL: {session}, {minutes}, {country}. What
// each stands for is the caller's. A brace that is meant is written %7B.

/** What a template may leave open. */
export type Placeholder = 'session' | 'minutes' | 'country';

const PLACEHOLDER = /\{(?<name>[^{}]*)\}/g;
const KNOWN: ReadonlySet<string> = new Set(['session', 'minutes', 'country'] satisfies Placeholder[]);

/** Whether anything stands in braces. */
export function hasPlaceholders(text: string): boolean {
  return text.search(PLACEHOLDER) !== -1;
}

/** Whether a template has this placeholder. */
export function hasPlaceholder(template: string, name: Placeholder): boolean {
  return template.includes(`{${name}}`);
}

/**
 * Leaves the placeholders out of a template.
 *
 * @param shown what messages call the upstream
 * @throws Error for a placeholder that there isn't; it is not shown, for it may be part of a password
 */
export function withoutPlaceholders(shown: string, template: string): string {
  return template.replaceAll(PLACEHOLDER, (_, name: string) => {
    if (KNOWN.has(name)) return '';
    throw new Error(
      `${shown}: what stands in braces in the user or password is none of {session}, {minutes} and {country}; ` +
        'write one of these, or %7B for a brace that is meant',
    );
  });
}

/** Fills in what is known; the other placeholders stay. */
export function fillTemplate(template: string, values: Readonly<Partial<Record<Placeholder, string>>>): string {
  return template.replaceAll(PLACEHOLDER, (whole, name: Placeholder) => {
    const value = values[name];
    return value === undefined ? whole : encodeURIComponent(value);
  });
}
