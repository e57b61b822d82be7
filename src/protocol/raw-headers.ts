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

/** Names that the `Connection` fields list, in lower case. */
export function connectionOptionsOf(raw: RawHeaders): ReadonlySet<string> {
  const options = listOf(raw, 'connection');
  return options.length === 0 ? NO_OPTIONS : new Set(options);
}

/** The transfer codings of a message, in lower case; none where its body has a length, or it has no body. */
export function transferCodingsOf(raw: RawHeaders): readonly string[] {
  return listOf(raw, 'transfer-encoding');
}

function listOf(raw: RawHeaders, name: string): readonly string[] {
  const values = valuesOf(raw, name);
  if (values.length === 0) return values;
  const items: string[] = [];
  for (const value of values) {
    for (const item of value.split(',')) {
      const word = item.trim().toLowerCase();
      if (word !== '') items.push(word);
    }
  }
  return items;
}
