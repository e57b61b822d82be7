// What the arguments of the benchmarks have in common.

/** Why nothing can be measured; the message says what to do. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}

/**
 * Reads a whole number above 0; undefined if none was given.
 *
 * @throws CannotRun for anything else
 */
export function readNumber(name: string, written: string | undefined): number | undefined {
  if (written === undefined) return undefined;
  if (!/^[1-9]\d{0,3}$/.test(written)) throw new CannotRun(`--${name} takes a whole number above 0, not "${written}"`);
  return Number(written);
}
