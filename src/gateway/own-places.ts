// Where a gateway listens and under which names clients reach it, so that it is never asked to contact itself. What it
// serves there is not known here.

import ipaddr from 'ipaddr.js';
import { isOwnAddress, type Listening } from './own-address.js';

/** The places one gateway listens at; none before it does. */
export class OwnPlaces {
  readonly #publicHosts: readonly string[];
  readonly #listening: Listening[] = [];

  /** @param publicHosts names under which clients reach it */
  constructor(publicHosts: readonly string[]) {
    this.#publicHosts = publicHosts;
  }

  /** Tells of a place it listens at from now on. */
  add(place: Listening): void {
    this.#listening.push(place);
  }

  /** Whether connecting there from this machine would reach the gateway. */
  hasAddress(ip: string, port: number): boolean {
    return this.#listening.some((place) => isOwnAddress(place, ip, port));
  }

  /** The same of a host that may be a name. */
  hasAuthority(host: string, port: number): boolean {
    if (!this.#listening.some((place) => place.port === port)) return false;
    if (this.#publicHosts.includes(host)) return true;
    const addresses = host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
    return addresses.some((ip) => this.hasAddress(ip, port));
  }

  /** Whether only this machine reaches it. */
  get isLoopback(): boolean {
    const host = this.#listening[0]?.host ?? '';
    return ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback';
  }
}
