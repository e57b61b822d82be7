// What the parts of one configuration share. Kept apart from the class, so that pool and presets reach it without the
// class showing it to users.

import type { Log, ProxyConfiguration } from '@crawlee/core';

import type { GatewayAddress } from '../client/gateway-url.js';
import type { AdoptedSessions } from './adopted-sessions.js';
import type { BusyTurns } from './busy-turns.js';
import type { GatewaySessions } from './gateway-sessions.js';
import type { Transport } from './options.js';
import type { SessionBindings } from './session-bindings.js';

/** The parts of one configuration. */
export interface Core {
  readonly address: GatewayAddress;
  readonly transport: Transport;
  readonly gateway: GatewaySessions;
  readonly bindings: SessionBindings;
  readonly adopted: AdoptedSessions;
  readonly busyTurns: BusyTurns;
  readonly log: Log;
  /** The longest the gateway holds a request, in milliseconds: known after `launch()`, else the gateway's default. */
  readonly maxHoldMs: number;
}

const CORES = new WeakMap<object, Core>();

/** Makes the parts of a configuration known. */
export function registerCore(configuration: ProxyConfiguration, core: Core): void {
  CORES.set(configuration, core);
}

/**
 * The parts of a configuration.
 *
 * @throws TypeError if it is no SessionProxyConfiguration
 */
export function coreOf(configuration: unknown): Core {
  const core = typeof configuration === 'object' && configuration !== null ? CORES.get(configuration) : undefined;
  if (core === undefined) throw new TypeError('proxyConfiguration must be a SessionProxyConfiguration');
  return core;
}
