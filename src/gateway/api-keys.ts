// Who may use the gateway. Keys are compared by digest and in constant time; everything behind this file knows an API
// key by its ID only.

import { hash, timingSafeEqual } from 'node:crypto';

/** Which API key a request came with. */
export interface ApiKey {
  /** First 16 hexadecimal digits of the key's SHA-256: safe to store and to log. */
  readonly id: string;
}

/** Finds the API key that a client gave, if it is one of ours. */
export type AuthenticateKey = (given: string) => ApiKey | undefined;

/** Makes the check for a set of keys. Each call compares with all of them, so its time tells nothing. */
export function createKeyCheck(keys: readonly string[]): AuthenticateKey {
  const known = keys.map((key) => digestOf(key)).map((digest) => ({ digest, id: digest.toString('hex').slice(0, 16) }));
  return (given) => {
    const digest = digestOf(given);
    let found: ApiKey | undefined;
    for (const key of known) if (timingSafeEqual(key.digest, digest)) found = { id: key.id };
    return found;
  };
}

function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}
