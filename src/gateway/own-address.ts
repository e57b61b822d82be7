// Whether an address is the gateway's own: a request to it would come back in, and past the target policy.

import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** Where a gateway listens. `host` is the address it is bound to. */
export interface Listening {
  readonly host: string;
  readonly port: number;
}

/** Whether connecting to `ip` and `port` from this machine would reach the listener. */
export function isOwnAddress({ host, port }: Listening, ip: string, targetPort: number): boolean {
  if (targetPort !== port || !ipaddr.isValid(ip) || !ipaddr.isValid(host)) return false;
  const target = ipaddr.process(ip);
  const bound = ipaddr.process(host);
  // Connecting to the unspecified address reaches this machine.
  if (target.range() === 'unspecified') return true;
  if (bound.range() !== 'unspecified') return target.toString() === bound.toString();
  return target.range() === 'loopback' || localAddresses().has(target.toString());
}

function localAddresses(): ReadonlySet<string> {
  const infos = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(infos.map(({ address }) => ipaddr.process(address.split('%')[0] as string).toString()));
}
