// Reads the answer of a service that tells whoever asks which address it sees.

import ipaddr from 'ipaddr.js';

/** Members that such services have it in, in the order in which they are looked for. */
const MEMBERS = ['ip', 'origin', 'query'];

/**
 * Reads an address, alone as text, or as JSON with a member `ip`, `origin` or `query`.
 *
 * @returns the address in canonical form; undefined where there is none
 */
export function readEchoedIp(text: string): string | undefined {
  const told = readMember(text) ?? text;
  // Ours: of several, the last one. The others are what the proxy has added of those before it (`X-Forwarded-For`), and
  // what the service itself has seen stands behind them.
  const last = told.split(',').at(-1)?.trim() ?? '';
  return ipaddr.isValid(last) && isWhole(last) ? ipaddr.process(last).toString() : undefined;
}

/** The library also takes `1`, `0x7f.1` and the like for addresses. */
function isWhole(address: string): boolean {
  return address.includes(':') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(address);
}

function readMember(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Then it is plain text.
    return undefined;
  }
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const name of MEMBERS) {
    const member: unknown = Reflect.get(value, name);
    if (typeof member === 'string') return member;
  }
  return undefined;
}
