// Which exit a use or session of a memory store leaves through, where its upstream has many: drawn from the session's
// own ID, or for a request without a session from a fresh seed.

import { choosePin } from '../sessions/choice.js';
import type { KeptSession } from './memory-sessions.js';
import type { Moment, SessionRequest } from './memory-state.js';
import type { Leaving } from './pins.js';
import type { Refused, UpstreamChoice } from './session-store.js';
import { refuse } from './views.js';

/** Exits drawn at most, until one can be used at once. */
const DRAWS = 4;

/** Makes a session and pins it, unless its owner has too many or no upstream will do. Nobody is told yet. */
export function makePinned({ state, nowMs }: Moment, request: SessionRequest): KeptSession | Refused {
  const { owner, traits, isChosen = false } = request;
  if (state.sessions.isFull(owner, nowMs)) return refuse('user_session_limit');
  const upstream = state.choose(request, { rule: choosePin }, nowMs);
  if ('ok' in upstream) return upstream;
  const drawn = drawUnbanned({ state, nowMs }, request, upstream);
  if ('ok' in drawn) return drawn;
  const { id, leaving } = drawn;
  return state.sessions.add({ id, owner, traits, isChosen, leaving }, nowMs);
}

/** Finds an ID whose exit is not kept from the target after a ban. */
function drawUnbanned(
  { state, nowMs }: Moment,
  { owner, target }: SessionRequest,
  upstream: UpstreamChoice,
): { readonly id: string; readonly leaving: Leaving } | Refused {
  let retryAfterMs = Infinity;
  for (let draws = 0; draws < DRAWS; draws += 1) {
    const id = state.sessions.freeId();
    const leaving = leavingBy(upstream, id);
    const coolMs = target === undefined ? 0 : state.coolMs(owner, leaving, target.site, nowMs);
    if (coolMs === 0) return { id, leaving };
    retryAfterMs = Math.min(retryAfterMs, coolMs);
  }
  return refuse('banned', { retryAfterMs });
}

/** Where one leaves from who is given an upstream. */
export function leavingBy({ id, outgoingIp, draw }: UpstreamChoice, seed: string): Leaving {
  if (draw === undefined) return { upstreamId: id, exit: undefined, outgoingIp, word: id };
  const drawn = draw(seed);
  return { upstreamId: id, exit: drawn.exit, outgoingIp: drawn.outgoingIp, word: drawn.outgoingIp };
}

/**
 * Where a request without a session leaves from. Ours: of an upstream with few exits the same one is drawn again and
 * again, so a few are drawn, and the request need not wait for one while others are free.
 */
export function leavingAnew(
  { state, nowMs }: Moment,
  upstream: UpstreamChoice,
  { owner, site, newSeed }: { readonly owner: string; readonly site: string; readonly newSeed: () => string },
): Leaving {
  if (upstream.draw === undefined) return leavingBy(upstream, '');
  const waitMs = (leaving: Leaving): number => {
    const freeInMs = state.paces.freeAtMs({ outgoingIp: leaving.outgoingIp, site }) - nowMs;
    return Math.max(0, freeInMs, state.coolMs(owner, leaving, site, nowMs));
  };
  let best = leavingBy(upstream, newSeed());
  for (let draws = 1; draws < DRAWS && waitMs(best) > 0; draws += 1) {
    const next = leavingBy(upstream, newSeed());
    if (waitMs(next) < waitMs(best)) best = next;
  }
  return best;
}
