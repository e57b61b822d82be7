// What checks say about answers and arrivals. Each function throws a CheckFailure with a sentence that names what came
// instead; none of them waits or asks.

import { CheckFailure } from './check.js';
import type { Arrival } from './targets/target.js';
import type { Answer } from './wire/read-answer.js';

type Fields = { readonly rawHeaders: readonly string[] };

/** The names of an answer, or of an arrival, as they stood on the wire. */
export function namesOf({ rawHeaders }: Fields): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 0);
}

/** All values of a field, whatever the case of its name. */
export function valuesOf({ rawHeaders }: Fields, name: string): string[] {
  const lower = name.toLowerCase();
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === lower);
}

/** The one value of a field; undefined if it isn't there. */
export function valueOf(fields: Fields, name: string): string | undefined {
  return valuesOf(fields, name)[0];
}

/** @throws CheckFailure unless it is true */
export function expectThat(isTrue: boolean, message: string, answer?: Answer): asserts isTrue {
  if (!isTrue) throw new CheckFailure(message, answer);
}

/** @throws CheckFailure unless the two are the same */
export function expectSame<Value extends string | number | undefined>(what: string, is: Value, wanted: Value): void {
  if (is !== wanted) throw new CheckFailure(`${what} is ${show(is)}, not ${show(wanted)}`);
}

/** @throws CheckFailure unless the status is one of these */
export function expectStatus(answer: Answer, ...wanted: readonly number[]): void {
  expectThat(wanted.includes(answer.status), `the status is not ${wanted.join(' or ')}`, answer);
}

/** An error of the server's own. @throws CheckFailure unless it has this status and one of these codes */
export function expectError(answer: Answer, status: number, ...codes: readonly string[]): void {
  expectStatus(answer, status);
  const code = valueOf(answer, 'X-Crawlera-Error');
  expectThat(code !== undefined && codes.includes(code), `X-Crawlera-Error is not ${codes.join(' or ')}`, answer);
}

/** An answer of the target. @throws CheckFailure unless it has this status and no error of the server's own */
export function expectRelayed(answer: Answer, status = 200): void {
  expectStatus(answer, status);
  expectNone(answer, 'X-Crawlera-Error');
}

/** @returns the value of a field. @throws CheckFailure unless it is there once and looks like this */
export function expectField(answer: Answer, name: string, shape = /./): string {
  const [value, ...more] = valuesOf(answer, name);
  expectThat(value !== undefined, `${name} is missing`, answer);
  expectThat(more.length === 0, `${name} stands ${more.length + 1} times`, answer);
  expectThat(shape.test(value), `${name} is ${show(value)}, which is not like ${shape}`, answer);
  return value;
}

/** @throws CheckFailure if the field is there */
export function expectNone(answer: Answer, name: string): void {
  expectThat(valueOf(answer, name) === undefined, `${name} is there and should not be`, answer);
}

/** @throws CheckFailure if a name of an arrival looks like this */
export function expectNotArrived(arrival: Arrival, shape: RegExp): void {
  const found = namesOf(arrival).filter((name) => shape.test(name));
  expectThat(found.length === 0, `the target was sent ${found.join(', ')}`);
}

/** @throws CheckFailure unless so many requests arrived */
export function expectArrivals(arrivals: readonly Arrival[], count: number): void {
  expectThat(arrivals.length === count, `the target was asked ${arrivals.length} times, not ${count}`);
}

function show(value: string | number | undefined): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}
