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
  return new Set(listOf(raw, 'connection'));
}

/** The transfer codings of a message, in lower case; none where its body has a length, or it has no body. */
export function transferCodingsOf(raw: RawHeaders): string[] {
  return listOf(raw, 'transfer-encoding');
}

function listOf(raw: RawHeaders, name: string): string[] {
  return valuesOf(raw, name)
    .flatMap((value) => value.split(','))
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '');
}
