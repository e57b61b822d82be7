// For tests that wait for something they bring about.

/** A promise, and what fulfils it. */
export function deferred(): readonly [promise: Promise<void>, resolve: () => void] {
  let resolve: (() => void) | undefined;
  const promise = new Promise<void>((fulfil) => (resolve = fulfil));
  return [promise, () => resolve?.()];
}
