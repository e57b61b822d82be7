// Flat raw header arrays: names and values in turn, as they stood on the wire. Fields that are not ours keep their
// case, order and number.

/** Header fields as node:http hands them over and takes them: `[name, value, name, value, …]`. */
export type RawHeaders = readonly string[];

/** Yields each field as a pair. */
export function* fieldsOf(raw: RawHeaders): Generator<readonly [name: string, value: string]> {
  for (let index = 0; index + 1 < raw.length; index += 2) yield [raw[index] as string, raw[index + 1] as string];
}

/** All values of a field, in order. */
export function valuesOf(raw: RawHeaders, name: string): string[] {
  const wanted = name.toLowerCase();
  const values: string[] = [];
  for (const [field, value] of fieldsOf(raw)) if (field.toLowerCase() === wanted) values.push(value);
  return values;
}

/** Names that the `Connection` fields list, in lower case. */
export function connectionOptionsOf(raw: RawHeaders): ReadonlySet<string> {
  return new Set(
    valuesOf(raw, 'connection')
      .flatMap((value) => value.split(','))
      .map((option) => option.trim().toLowerCase())
      .filter((option) => option !== ''),
  );
}
