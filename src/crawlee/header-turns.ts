// Who among parallel requests of a Crawlee session asks for its gateway session, with transport 'headers': the first
// asks with `create`, the rest wait for the ID in its answer. What is sent is not known here.

import { CREATE_SESSION } from '../protocol/header-names.js';
import type { ProxySessionInfo } from './gateway-sessions.js';
import type { SessionBindings } from './session-bindings.js';

/** What one request sends in its session header, and what is to be told once it is answered. */
export interface HeaderTurn {
  /** `create`, or an ID. */
  readonly value: string;
  /** Whether others wait for the ID that this request brings. */
  readonly isFirst: boolean;
  /** Whether the ID is known by now. */
  isSettled(): boolean;
  /** Tells which session the answer named, or undefined if it named none; the first call counts. */
  settle(info: ProxySessionInfo | undefined): void;
}

/** The request that was to bring the ID brought none: the next in line asks. */
class NoIdCame extends Error {}

/**
 * Waits for this request's turn.
 *
 * @throws ProxySessionError if the Crawlee session has ended, CriticalError after `close()`
 */
export async function takeTurn(bindings: SessionBindings, crawleeId: string): Promise<HeaderTurn> {
  for (;;) {
    const first = createFirstTurn();
    const bound = bindings.bind(crawleeId, first.start);
    if (first.hasStarted()) {
      // Those that wait get this rejection too, and ask next; where nobody waits there is nobody to tell.
      bound.catch(() => undefined);
      return first.turn;
    }
    try {
      // One turn after another is the point.
      // oxlint-disable-next-line no-await-in-loop
      const { id } = await bound;
      return { value: id, isFirst: false, isSettled: () => true, settle: () => undefined };
    } catch (error) {
      if (!(error instanceof NoIdCame)) throw error;
    }
  }
}

function createFirstTurn(): {
  readonly turn: HeaderTurn;
  readonly start: () => Promise<ProxySessionInfo>;
  readonly hasStarted: () => boolean;
} {
  let settle: ((info: ProxySessionInfo | undefined) => void) | undefined;
  let isKnown = false;
  const start = (): Promise<ProxySessionInfo> =>
    new Promise((resolve, reject) => {
      settle = (info) => {
        if (info === undefined) reject(new NoIdCame());
        else resolve(info);
        isKnown ||= info !== undefined;
      };
    });
  const turn: HeaderTurn = {
    value: CREATE_SESSION,
    isFirst: true,
    isSettled: () => isKnown,
    settle: (info) => settle?.(info),
  };
  return { turn, start, hasStarted: () => settle !== undefined };
}
