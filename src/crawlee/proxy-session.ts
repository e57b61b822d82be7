// A Crawlee session whose end is known with its reason, whose error score can be spared, and whose kept state has its
// gateway session in it. What follows from these is not known here.

import { Session } from '@crawlee/core';
import type { SessionOptions, SessionState } from '@crawlee/core';

import { withKept } from './kept-sessions.js';
import type { KeptSession } from './kept-sessions.js';
import type { RetirementCause } from './verdicts.js';

/** What is told of a session, and asked for it. */
export interface SessionWatch {
  readonly onRetired: (session: Session, cause: RetirementCause) => void;
  /** A page of a session that goes on was good. */
  readonly onGood: (session: Session) => void;
  /** The gateway session to keep with its state. */
  readonly keepable: (sessionId: string) => KeptSession | undefined;
}

/** Why a session is being retired: Crawlee's `retire()` does not say, but it is called from within what does. */
class CauseNote {
  #cause: RetirementCause = 'asked';

  get cause(): RetirementCause {
    return this.#cause;
  }

  during<T>(cause: RetirementCause, act: () => T): T {
    const before = this.#cause;
    this.#cause = cause;
    try {
      return act();
    } finally {
      this.#cause = before;
    }
  }
}

/** The Crawlee sessions of a `ProxySessionPool`. */
export class ProxySession extends Session {
  readonly #watch: SessionWatch;
  readonly #note = new CauseNote();
  #excusedErrors = 0;

  constructor(options: SessionOptions, watch: SessionWatch) {
    super(options);
    this.#watch = watch;
  }

  /** Retires the session; Crawlee calls this twice per retirement, and again for each request that was in it. */
  override retire(): void {
    super.retire();
    this.#watch.onRetired(this, this.#note.cause);
  }

  override retireOnBlockedStatusCodes(statusCode: number, more?: number[]): boolean {
    return this.#note.during('blocked', () => super.retireOnBlockedStatusCodes(statusCode, more));
  }

  override markGood(): void {
    // Crawlee calls this after a handler has retired the session, too, and would take it into use again: the score sinks
    // below the mark. Its gateway session is ended by then.
    if (this.isBlocked()) return;
    if (this.isUsable()) this.#watch.onGood(this);
    this.#note.during('worn', () => super.markGood());
  }

  /** Lets the next error pass: one that says nothing about the session, which Crawlee would count all the same. */
  excuseNextError(): void {
    this.#excusedErrors += 1;
  }

  override markBad(): void {
    if (this.#excusedErrors === 0) {
      this.#note.during('worn', () => super.markBad());
      return;
    }
    this.#excusedErrors -= 1;
  }

  override getState(): SessionState {
    return withKept(super.getState(), this.#watch.keepable(this.id));
  }
}

/**
 * Does for a session of somebody else's making what `ProxySession` does itself, but for sparing its score: its class
 * can't be changed, so the one instance is.
 */
export function watchSession(session: Session, watch: SessionWatch): void {
  const note = new CauseNote();
  const retire = session.retire.bind(session);
  const retireOnBlocked = session.retireOnBlockedStatusCodes.bind(session);
  const markGood = session.markGood.bind(session);
  const markBad = session.markBad.bind(session);
  const getState = session.getState.bind(session);
  session.retire = () => {
    retire();
    watch.onRetired(session, note.cause);
  };
  session.retireOnBlockedStatusCodes = (statusCode: number, more?: number[]) =>
    note.during('blocked', () => retireOnBlocked(statusCode, more));
  session.markGood = () => {
    if (session.isBlocked()) return;
    if (session.isUsable()) watch.onGood(session);
    note.during('worn', markGood);
  };
  session.markBad = () => note.during('worn', markBad);
  session.getState = () => withKept(getState(), watch.keepable(session.id));
}
