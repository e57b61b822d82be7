// What a pure function gave for the texts it was asked about last. Most requests go to few hosts, and reading one anew for
// each costs more than what is then done with it.

/** Bound of the texts that are remembered, by one function, and of their lengths. */
const MAX_TEXTS = 1000;
const MAX_LENGTH = 300;

/** Makes a function that asks `read` once for each text, as long as it remembers it. What it gives must not be changed. */
export function remembered<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, { readonly value: T }>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found.value;
    const value = read(text);
    // All at once: an order of use would have to be kept at each request, and reading again is a matter of microseconds.
    if (known.size >= MAX_TEXTS) known.clear();
    // A copy: a part of a string keeps the whole of it in memory, such as the URL that a host was read from.
    if (text.length <= MAX_LENGTH) known.set(Buffer.from(text).toString(), { value });
    return value;
  };
}
