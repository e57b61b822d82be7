// Flat raw header arrays: names and values in turn, as they stood on the wire. Fields that are not ours keep their
// case, order and number.

/** Header fields as node:http hands them over and takes them: `[name, value, name, value, …]`. */
export type RawHeaders = readonly string[];

/** Yields each field as a pair. */
export function* fieldsOf(raw: RawHeaders): Generator<readonly [name: string, value: string]> {
  for (let index = 0; index + 1 < raw.length; index += 2) yield [raw[index] as string, raw[index + 1] as string];
}

/** Whether a field has a name, given in lower case. Lengths first: most names differ in them, and are not copied. */
export function isNamed(field: string, lowerCaseName: string): boolean {
  return field.length === lowerCaseName.length && field.toLowerCase() === lowerCaseName;
}

/** All values of a field, in order. */
export function valuesOf(raw: RawHeaders, name: string): string[] {
  const wanted = name.toLowerCase();
  const values: string[] = [];
  // By index, as everywhere where each field of each request passes: a generator makes three objects per field.
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (isNamed(raw[index] as string, wanted)) values.push(raw[index + 1] as string);
  }
  return values;
}

const NO_OPTIONS: ReadonlySet<string> = new Set();
const NO_ITEMS: readonly string[] = [];

/** Names that the `Connection` fields list, in lower case, but for `keep-alive`, which ends at each hop by itself. */
export function connectionOptionsOf(raw: RawHeaders): ReadonlySet<string> {
  const options = listOf(raw, 'connection');
  return options.every((option) => option === 'keep-alive') ? NO_OPTIONS : new Set(options);
}

/** The transfer codings of a message, in lower case; none where its body has a length, or it has no body. */
export function transferCodingsOf(raw: RawHeaders): readonly string[] {
  return listOf(raw, 'transfer-encoding');
}

function listOf(raw: RawHeaders, name: string): readonly string[] {
  let items: string[] | undefined;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (!isNamed(raw[index] as string, name)) continue;
    for (const item of (raw[index + 1] as string).split(',')) {
      const word = item.trim().toLowerCase();
      if (word !== '') (items ??= []).push(word);
    }
  }
  return items ?? NO_ITEMS;
}
