// A Crawlee session that ends its gateway session when it is retired, and whose error score can be spared.

import { Session } from '@crawlee/core';
import type { SessionOptions } from '@crawlee/core';

/** The Crawlee sessions of a `ProxySessionPool`. */
export class ProxySession extends Session {
  readonly #onRetired: (sessionId: string) => void;
  #excusedErrors = 0;

  constructor(options: SessionOptions, onRetired: (sessionId: string) => void) {
    super(options);
    this.#onRetired = onRetired;
  }

  /** Retires the session; Crawlee calls this twice per retirement, and again for each request that was in it. */
  override retire(): void {
    super.retire();
    this.#onRetired(this.id);
  }

  /** Lets the next error pass: one that says nothing about the session, which Crawlee would count all the same. */
  excuseNextError(): void {
    this.#excusedErrors += 1;
  }

  override markBad(): void {
    if (this.#excusedErrors === 0) {
      super.markBad();
      return;
    }
    this.#excusedErrors -= 1;
  }
}

/**
 * Does for a session of somebody else's making what `ProxySession` does itself: its class can't be changed, so the
 * one instance is.
 */
export function watchRetirement(session: Session, onRetired: (sessionId: string) => void): void {
  const retire = session.retire.bind(session);
  session.retire = () => {
    retire();
    onRetired(session.id);
  };
}
