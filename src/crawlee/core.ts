// What the parts of one configuration share. Kept apart from the class, so that pool and presets reach it without the
// class showing it to users.

import type { Log, ProxyConfiguration } from '@crawlee/core';

import type { GatewayAddress } from '../client/gateway-url.js';
import type { AdoptedSessions } from './adopted-sessions.js';
import type { BusyTurns } from './busy-turns.js';
import type { GatewaySessions } from './gateway-sessions.js';
import type { Interruption } from './interruption.js';
import type { ResolvedOptions, Transport } from './options.js';
import type { SessionBindings } from './session-bindings.js';
import type { HeldBindings } from './held-bindings.js';
import type { SlotPlanner } from './slot-planner.js';
import type { TruthCheck } from './truth-check.js';
import type { Verdicts } from './verdicts.js';

/** The parts of one configuration. */
export interface Core {
  readonly options: ResolvedOptions;
  readonly address: GatewayAddress;
  readonly transport: Transport;
  readonly gateway: GatewaySessions;
  readonly bindings: SessionBindings;
  readonly adopted: AdoptedSessions;
  readonly held: HeldBindings;
  readonly busyTurns: BusyTurns;
  /** Set where the plugin keeps the distance between uses. */
  readonly slots: SlotPlanner | undefined;
  /** The host that was asked last: what the next slot is booked for. */
  readonly lastHost: { name: string | undefined };
  readonly truth: TruthCheck;
  readonly verdicts: Verdicts;
  readonly interruption: Interruption;
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
