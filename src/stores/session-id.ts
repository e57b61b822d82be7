// Session IDs: decimal digits nobody can guess. Clients treat them as opaque, and some parse them as numbers.

import { randomInt } from 'node:crypto';

const LOW_DIGITS = 8;

/**
 * Makes a session ID of 15 decimal digits, below 2^53 and without a leading zero, from the system's secure randomness.
 *
 * @see https://docs.zyte.com/smart-proxy-manager/sessions.html whose examples are decimal
 */
export function newSessionId(): string {
  const high = randomInt(1_000_000, 10_000_000);
  const low = randomInt(0, 10 ** LOW_DIGITS);
  // Of one number: a text put together of two keeps both of them in memory.
  return String(high * 10 ** LOW_DIGITS + low);
}
