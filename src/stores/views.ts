// What a memory store shows of a session, and how it says no.

import { expiresAtMs, type Session } from '../sessions/session.js';
import type { SessionSettings } from '../sessions/settings.js';
import type { RefusalCode, Refused, SessionView } from './session-store.js';

/** Says no, with what the client may be told about when to try again. */
export function refuse(code: RefusalCode, details: Partial<Omit<Refused, 'ok' | 'code'>> = {}): Refused {
  return { ok: false, code, retryAfterMs: details.retryAfterMs, nextRequestInMs: details.nextRequestInMs };
}

/** Copies what others may see of a session; `freeAtMs` is when the clock it is on lets the next use start. */
export function viewOf(
  session: Session,
  {
    nowMs,
    freeAtMs,
    settings,
  }: { readonly nowMs: number; readonly freeAtMs: number; readonly settings: SessionSettings },
): SessionView {
  return {
    id: session.id,
    upstreamId: session.pin.upstreamId,
    exit: session.pin.exit,
    outgoingIp: session.pin.outgoingIp,
    traits: session.traits,
    createdAtMs: session.createdAtMs,
    lastUsedAtMs: session.lastUsedAtMs,
    expiresAtMs: expiresAtMs(session, settings),
    uses: session.uses,
    unbookedUses: session.unbookedUses,
    requests: session.requests,
    isBanned: session.isBanned,
    tunnels: (session.tunnels ?? []).map(({ target, open, closedAtMs }) => ({
      target,
      open,
      lastOpenMsAgo: open > 0 ? 0 : nowMs - closedAtMs,
    })),
    bytesIn: session.bytesIn,
    bytesOut: session.bytesOut,
    nextUseInMs: Math.max(0, freeAtMs - nowMs),
  };
}
