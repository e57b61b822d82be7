// Makes what is dear, and seldom needed, when it is needed. What that is, is the caller's.

/** Makes something when it is first asked for, and once; a failure is not kept. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
