// One upstream in the health book: its breaker, what has counted against it, and the clock of its next trial. That others
// are there is not known here.

import {
  abandonTrial,
  admit,
  beginTrial,
  type Breaker,
  type BreakerSettings,
  CLOSED,
  countFailure,
  retryAfterMs,
} from '../sessions/breaker.js';
import { type ErrorCode, GatewayError } from '../sessions/errors.js';
import { type Failure, type Fault, type FaultSetting, readFault } from './fault.js';

/** An upstream goes out of use, or comes back. Each once, however many uses fail in between. */
export type HealthEvent =
  | {
      readonly type: 'upstream.down';
      /** Its ID. */
      readonly upstream: string;
      /** The failure that was one too many. */
      readonly error: ErrorCode;
      readonly message: string;
      /** When the first trial is made, in milliseconds. */
      readonly retryInMs: number;
    }
  | { readonly type: 'upstream.up'; readonly upstream: string };

/** How an upstream is. */
export interface UpstreamHealth {
  /** `trial`: it was down, and the next use, or the one that runs, decides. */
  readonly state: 'up' | 'down' | 'trial';
  /** The last failure that was the upstream's, while it is not up. */
  readonly message: string | undefined;
  /** Milliseconds until it is tried again; 0 for one that is up. */
  readonly retryAfterMs: number;
  /** When something was last heard of it, good or bad, in epoch milliseconds; undefined: not yet. */
  readonly heardAtMs: number | undefined;
}

/** What is reported of one upstream's uses. Of one that was replaced or forgotten, reports change nothing any more. */
export interface Watch {
  /**
   * Begins a use.
   *
   * @returns whether it is the trial of an upstream that was down; then it has to be ended by one of the others
   * @throws GatewayError `noslaves` where the upstream is left alone
   */
  begin(): boolean;
  succeeded(): void;
  failed(failure: Failure, isTrial: boolean): void;
}

/** What a page depends on. */
export interface PageOptions extends FaultSetting {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Calls something later, and keeps no process alive for it. @returns a function that calls it off */
  readonly later: (run: () => void, delayMs: number) => () => void;
  readonly settings: BreakerSettings;
  readonly emit: (event: HealthEvent) => void;
  /** Called when it may have become usable, or not usable any more. */
  readonly onChange: () => void;
}

/** One upstream in the book. */
export class HealthPage implements Watch {
  readonly #options: PageOptions;
  /** What has counted since the last success; as few as open the breaker. */
  readonly #counted = new Set<string>();
  #breaker: Breaker = CLOSED;
  #message: string | undefined;
  #heardAtMs: number | undefined;
  #callOff: (() => void) | undefined;

  constructor(options: PageOptions) {
    this.#options = options;
  }

  get isUsable(): boolean {
    return admit(this.#breaker, this.#options.nowMs()) !== 'not now';
  }

  get health(): UpstreamHealth {
    const { nowMs, settings } = this.#options;
    const { phase } = this.#breaker;
    const now = nowMs();
    return {
      state: phase === 'closed' ? 'up' : phase === 'trial' || this.isUsable ? 'trial' : 'down',
      message: phase === 'closed' ? undefined : this.#message,
      retryAfterMs: retryAfterMs(this.#breaker, now, settings),
      heardAtMs: this.#heardAtMs,
    };
  }

  begin(): boolean {
    // The first is what nearly all uses meet; they need no clock.
    if (this.#breaker.phase === 'closed') return false;
    const { nowMs } = this.#options;
    if (admit(this.#breaker, nowMs()) === 'not now') throw this.#refusal();
    this.#breaker = beginTrial(this.#breaker);
    this.#options.onChange();
    return true;
  }

  succeeded(): void {
    this.#heardAtMs = this.#options.nowMs();
    if (this.#breaker === CLOSED) return;
    const wasDown = this.#breaker.phase !== 'closed';
    this.#breaker = CLOSED;
    this.#counted.clear();
    if (!wasDown) return;
    this.close();
    this.#options.emit({ type: 'upstream.up', upstream: this.#options.id });
    this.#options.onChange();
  }

  failed(failure: Failure, isTrial: boolean): void {
    const fault = readFault(failure, this.#options);
    if (fault === 'alive') return this.succeeded();
    if (fault === 'nothing') {
      if (isTrial) this.#change(abandonTrial(this.#breaker, this.#options.nowMs()));
      return;
    }
    this.#heardAtMs = this.#options.nowMs();
    // While a trial runs, it alone decides; what fails beside it had begun before.
    if (this.#breaker.phase === 'closed' ? this.#isNew(fault) : isTrial) this.#count(fault, failure.error);
  }

  close(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  #isNew({ once }: Fault): boolean {
    if (once === undefined) return true;
    if (this.#counted.has(once)) return false;
    this.#counted.add(once);
    return true;
  }

  #count({ weight, isDoubt }: Fault, error: unknown): void {
    const { nowMs, random, settings, emit } = this.#options;
    const wasClosed = this.#breaker.phase === 'closed';
    this.#message = error instanceof Error ? error.message : String(error);
    this.#change(countFailure(this.#breaker, { weight, isDoubt, nowMs: nowMs(), random: random() }, settings));
    if (this.#breaker.phase !== 'open' || !wasClosed) return;
    this.#counted.clear();
    const code = error instanceof GatewayError ? error.code : 'internal_error';
    const retryInMs = this.health.retryAfterMs;
    emit({ type: 'upstream.down', upstream: this.#options.id, error: code, message: this.#message, retryInMs });
  }

  #change(breaker: Breaker): void {
    if (breaker === this.#breaker) return;
    this.#breaker = breaker;
    if (breaker.phase !== 'open') return;
    this.#awaitTrial();
    this.#options.onChange();
  }

  #awaitTrial(): void {
    const { later, nowMs, onChange } = this.#options;
    // Timers may run a moment early; then it would not be usable yet, and nobody would ask again.
    const onTime = (): void => (this.isUsable ? onChange() : this.#awaitTrial());
    this.close();
    this.#callOff = later(onTime, Math.max(1, this.#breaker.retryAtMs - nowMs()));
  }

  #refusal(): GatewayError {
    const { retryAfterMs: inMs } = this.health;
    const seconds = Math.ceil(inMs / 1000);
    const message = `Upstream ${this.#options.id} does not work now: ${this.#message ?? 'it failed'}; it is tried again in ${seconds} s`;
    return new GatewayError('noslaves', message, { retryAfterMs: inMs });
  }
}
