// What becomes of a session that lost its upstream: it ends, it waits, or it moves to another one. Who notices the loss,
// and who is told, is not known here.

import { isInPlace, type PlaceName } from './choice.js';

/** The entry of the upstream has left the list, or the upstream is listed and not usable. */
export type Loss = 'gone' | 'down';

/** What is done about it: nothing, or a move to an upstream of the same outgoing IP, or to any. */
export type OnUpstreamLoss = 'fail' | 'same-ip' | 'rebind';

/** Words there are for `OnUpstreamLoss`. */
export const UPSTREAM_LOSS_POLICIES = ['fail', 'same-ip', 'rebind'] as const satisfies readonly OnUpstreamLoss[];

/** The session, as far as a move goes. */
export interface Mover {
  readonly outgoingIp: string;
  /** Whether that is an address, and not a word in the place of one. */
  readonly isIpKnown: boolean;
  /** Where it was asked to leave from. */
  readonly place: PlaceName;
  readonly policy: OnUpstreamLoss;
}

/** An upstream it might move to. */
export interface Successor extends PlaceName {
  readonly outgoingIp: string;
}

/** Whether a session may move to an upstream. */
export function maySucceed(upstream: Successor, { outgoingIp, isIpKnown, place, policy }: Mover): boolean {
  if (policy === 'fail') return false;
  if (policy === 'same-ip' && !(isIpKnown && upstream.outgoingIp === outgoingIp)) return false;
  return isInPlace(upstream, place);
}

/**
 * What becomes of a session that can't move: one whose upstream may come back waits, for it is still bound to that
 * outgoing IP; one whose upstream is gone ends.
 */
export function fateOf(loss: Loss): 'ends' | 'waits' {
  return loss === 'gone' ? 'ends' : 'waits';
}
