// What of a gateway session goes into the state that Crawlee keeps of its own: the ID and the address, so that a run that
// is started again goes on with the same sessions. Never a key. Where the state is kept is Crawlee's affair.

import type { SessionOptions, SessionState } from '@crawlee/core';

import type { ProxySessionInfo } from './gateway-sessions.js';
import type { PluginPacing } from './options.js';

/** The member of `userData` in the kept state; the living session's `userData` is the user's alone. */
const MEMBER = 'proxySession';

/** A gateway session as it is kept. */
export interface KeptSession extends Pick<ProxySessionInfo, 'id' | 'outgoingIp'> {
  /** Who keeps the distance between its uses: settled when a session is made. */
  readonly pacing: PluginPacing;
}

/** Adds a gateway session to the state of its Crawlee session. */
export function withKept(state: SessionState, kept: KeptSession | undefined): SessionState {
  if (kept === undefined) return state;
  const { id, outgoingIp, pacing } = kept;
  return { ...state, userData: { ...state.userData, [MEMBER]: { id, outgoingIp, pacing } } };
}

/** Takes the gateway session out of the options that a Crawlee session of an earlier run is made from. */
export function takeKept(options: SessionOptions | undefined): {
  readonly options: SessionOptions | undefined;
  readonly kept: KeptSession | undefined;
} {
  const { [MEMBER]: found, ...userData }: Readonly<Record<string, unknown>> = { ...options?.userData };
  const kept = readKept(found);
  return kept === undefined ? { options, kept } : { options: { ...options, userData }, kept };
}

/** Reads what an earlier run left; undefined where it is nothing of ours. */
function readKept(value: unknown): KeptSession | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, outgoingIp, pacing }: { [Name in keyof KeptSession]?: unknown } = value;
  // It goes into a URL as it is.
  if (typeof id !== 'string' || !/^[\w.~-]{1,100}$/.test(id)) return undefined;
  if (pacing !== 'client' && pacing !== 'gateway') return undefined;
  return { id, outgoingIp: typeof outgoingIp === 'string' ? outgoingIp : undefined, pacing };
}
