// How the parts of one configuration are made and what they tell each other: which of them hears that a session was lost,
// banned or not deleted. What each does with it is in its own file.

import { log } from '@crawlee/core';

import { SessionsClientError } from '../client/client-error.js';
import { SessionsClient } from '../client/sessions-client.js';
import { AdoptedSessions } from './adopted-sessions.js';
import { BusyTurns } from './busy-turns.js';
import type { Core } from './core.js';
import { GatewaySessions } from './gateway-sessions.js';
import { HeldBindings } from './held-bindings.js';
import { Interruption } from './interruption.js';
import type { ResolvedOptions } from './options.js';
import { writeProxyUrl } from './proxy-url.js';
import { SessionBindings } from './session-bindings.js';
import type { SlotPlanner } from './slot-planner.js';
import { createSlots } from './slots.js';
import { TruthCheck } from './truth-check.js';
import { Verdicts } from './verdicts.js';

/** A gateway's own default of `delays.maxHold`, in milliseconds: what is reckoned with where it can't be asked. */
export const DEFAULT_MAX_HOLD_MS = 900_000;

/** Makes the parts of a configuration. */
export function createCore(options: ResolvedOptions): Core {
  const { address, transport, country } = options;
  const pluginLog = log.child({ prefix: 'SessionProxy' });
  const gateway = new GatewaySessions(new SessionsClient(writeProxyUrl(address)), country);
  const adopted = new AdoptedSessions();
  const slots: SlotPlanner | undefined =
    options.pacing === 'client'
      ? createSlots(gateway, {
          onLost(crawleeId) {
            bindings.lose(crawleeId);
            // At once, so that nobody is handed a session that has no way out any more.
            if (!bindings.keeps(crawleeId)) adopted.find(crawleeId)?.retire();
          },
          onBanned: (crawleeId) => verdicts.endBanned(adopted.find(crawleeId)),
        })
      : undefined;
  const paces = (crawleeId: string): boolean => slots?.isNeeded === true && adopted.has(crawleeId);
  const recreates = (crawleeId: string): boolean =>
    options.onSessionLost === 'recreate' && !adopted.isOfBrowser(crawleeId);
  const bindings = createBindings({ gateway, paces, recreates, log: pluginLog });
  const verdicts = new Verdicts({
    bindings,
    report: (id, verdict) => gateway.report(id, verdict),
    onFailed: (id, error) => pluginLog.debug(`A verdict on session ${id} was not told`, { error }),
  });
  return {
    options,
    address,
    transport,
    gateway,
    bindings,
    adopted,
    held: new HeldBindings(bindings),
    slots,
    lastHost: { name: undefined },
    busyTurns: new BusyTurns(),
    truth: new TruthCheck({ gateway, bindings, verdicts, transport, onMismatch: options.onMismatch, log: pluginLog }),
    verdicts,
    interruption: new Interruption(),
    log: pluginLog,
    maxHoldMs: DEFAULT_MAX_HOLD_MS,
  };
}

/** What the sessions of a configuration are made and ended with. */
interface BindingParts extends Pick<Core, 'gateway' | 'log'> {
  /** Whether the plugin keeps the distance between the uses of a Crawlee session, rather than the gateway. */
  readonly paces: (crawleeId: string) => boolean;
  /** Whether a Crawlee session goes on with another gateway session where its own was lost. */
  readonly recreates: (crawleeId: string) => boolean;
}

function createBindings({ gateway, paces, recreates, log: pluginLog }: BindingParts): SessionBindings {
  return new SessionBindings({
    create: (crawleeId, host) => gateway.create({ pacing: paces(crawleeId) ? 'client' : 'gateway', host }),
    isThere: async (id) => (await gateway.look(id)) !== undefined,
    recreatesLost: recreates,
    delete: (id) => gateway.delete(id),
    isFull: (error) => error instanceof SessionsClientError && error.code === 'user_session_limit',
    onDeleteFailed: (id, error) => {
      // It ends by itself after the gateway's `sessions.ttl`.
      pluginLog.debug(`Session ${id} was not deleted: ${error instanceof Error ? error.message : String(error)}`);
    },
  });
}
