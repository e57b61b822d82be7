// Who may go next: books the next start of each session ahead, and hands a session out when its time has come. Waiting is
// done here, outside Crawlee's time limits. How slots are booked comes in; Crawlee's classes are not known here.

import { SlotAlarm } from './slot-alarm.js';
import { slotOf, SlotStarts } from './slot.js';
import type { GrantedSlot, Slot, SlotRefusal } from './slot.js';

/** A session is handed out this much before its start: what a task needs until its request can go out. */
const LEAD_MS = 25;

/** How long a booking that failed is not tried again, where the gateway did not say. */
const RETRY_AFTER_MS = 1_000;

/** Plans kept; past that the one longest unused is forgotten, and its slot lapses. As many as bindings. */
const MAX_PLANS = 5_000;

/** What of a gateway's delays is looked at. */
export interface Delays {
  readonly defaultMs: number;
  /** Whether a slot for one host says nothing about another: each domain has a clock or a delay of its own. */
  readonly perDomain: boolean;
}

/** How slots are had. */
export interface SlotPlannerOptions {
  /** Books the next use of a gateway session; rejects where there is no telling. */
  readonly book: (proxySessionId: string, host: string) => Promise<GrantedSlot | SlotRefusal>;
  /** Gives a slot back; what comes of it is nobody's concern. */
  readonly cancel: (proxySessionId: string, slot: string) => Promise<void>;
  /** Told of a session that the gateway turned out not to know while its next slot was booked ahead. */
  readonly onLost: (crawleeId: string) => void;
  /** Told of a session whose outgoing IP turned out to be banned at the host its next slot was booked ahead for. */
  readonly onBanned: (crawleeId: string) => void;
  /** What the gateway says of its delays; undefined where it can't be asked. */
  readonly delays: () => Promise<Delays | undefined>;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
}

interface Plan {
  readonly proxySessionId: string;
  slot: Slot | undefined;
  booking: Promise<SlotRefusal | undefined> | undefined;
  notBeforeMs: number;
  /** Why none was granted the last time. */
  refusedFor: string | undefined;
  /** Slots that were handed out with the session and not used yet: when each started. */
  readonly granted: Slot[];
}

/** The slots of the sessions of one configuration, by Crawlee session. */
export class SlotPlanner {
  readonly #options: SlotPlannerOptions;
  readonly #plans = new Map<string, Plan>();
  readonly #alarm: SlotAlarm;
  readonly #starts: SlotStarts;
  #delays: Delays | undefined;

  constructor(options: SlotPlannerOptions) {
    this.#options = options;
    this.#starts = new SlotStarts(options.nowMs);
    this.#alarm = new SlotAlarm(options.nowMs, () => [...this.#plans.values()].map((plan) => this.#comesAtMs(plan)));
  }

  /** Calls back whenever a slot starts. @returns how to end that */
  onStart(listener: () => void): () => void {
    return this.#alarm.listen(listener);
  }

  /** Learns what has to be known before the first slot. */
  async prepare(): Promise<void> {
    this.#delays ??= await this.#options.delays();
  }

  /** Whether there is a distance to keep, as far as the gateway says. */
  get isNeeded(): boolean {
    return this.#delays !== undefined && (this.#delays.defaultMs > 0 || this.#delays.perDomain);
  }

  /** Resolves when the next slot starts, of whichever session. */
  nextStart(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.onStart(() => {
        stop();
        resolve();
      });
    });
  }

  /** When a session may go next, in milliseconds of the clock; undefined where nothing is booked for it. */
  startsAtMs(crawleeId: string): number | undefined {
    const { slot, notBeforeMs } = this.#plans.get(crawleeId) ?? {};
    if (slot !== undefined && this.#starts.isFresh(slot)) return this.#starts.dueAtMs(slot);
    return notBeforeMs !== undefined && notBeforeMs > this.#options.nowMs() ? notBeforeMs : undefined;
  }

  /** Why a session was granted no slot the last time; undefined where it was, or none was asked for. */
  refusedFor(crawleeId: string): string | undefined {
    return this.#plans.get(crawleeId)?.refusedFor;
  }

  /** Whether a session may go now, or as soon as its task is ready to: its slot has started and was not used. */
  isReady(crawleeId: string): boolean {
    const slot = this.#plans.get(crawleeId)?.slot;
    if (slot === undefined || !this.#starts.isFresh(slot)) return false;
    return this.#starts.dueAtMs(slot) - LEAD_MS <= this.#options.nowMs();
  }

  /** Hands the started slot of a session out with it. */
  grant(crawleeId: string): void {
    const plan = this.#plans.get(crawleeId);
    if (plan?.slot === undefined) return;
    plan.granted.push(plan.slot);
    plan.slot = undefined;
  }

  /** Books the next slot of a session, unless one is booked or being booked, or it is too early to ask again. */
  plan(crawleeId: string, proxySessionId: string, host: string): void {
    const plan = this.#planOf(crawleeId, proxySessionId);
    if (plan.slot !== undefined && !this.#starts.isFresh(plan.slot)) plan.slot = undefined;
    if (plan.slot !== undefined || plan.booking !== undefined || plan.notBeforeMs > this.#options.nowMs()) return;
    void this.#bookAhead(crawleeId, plan, host);
  }

  /**
   * Makes sure that a request about to go out is covered by a slot: one that was handed out with its session, else one
   * that is booked and waited for now.
   *
   * @returns `lost` if the gateway does not know the session, when to try again where it grants none; else undefined
   */
  async cover(crawleeId: string, proxySessionId: string, host: string): Promise<SlotRefusal | undefined> {
    const plan = this.#planOf(crawleeId, proxySessionId);
    const granted = this.#takeGranted(plan, host);
    if (granted !== undefined) {
      await this.#starts.begin(granted);
      return undefined;
    }
    // One at a time takes the slot that is booked; the others book their own behind it.
    while (plan.slot === undefined || !this.#fits(plan.slot, host)) {
      plan.slot = undefined;
      // oxlint-disable-next-line no-await-in-loop -- another request may take what was booked for this one
      const refusal = await (plan.booking ?? this.#book(plan, host));
      if (refusal !== undefined) return refusal;
    }
    const { slot } = plan;
    plan.slot = undefined;
    await this.#starts.begin(slot);
    return undefined;
  }

  #takeGranted(plan: Plan, host: string): Slot | undefined {
    for (let slot = plan.granted.shift(); slot !== undefined; slot = plan.granted.shift()) {
      if (this.#fits(slot, host)) return slot;
    }
    return undefined;
  }

  #fits(slot: Slot, wanted: string): boolean {
    return this.#starts.isFresh(slot) && (slot.host === wanted || this.#delays?.perDomain !== true);
  }

  /** A slot for the wrong host is not waited for: it lapses, which costs that host one delay. */
  async #bookAhead(crawleeId: string, plan: Plan, host: string): Promise<void> {
    // What was wrong is told to the request that needs the slot, which books its own.
    const refusal = await this.#book(plan, host).catch(() => undefined);
    if (refusal === undefined || this.#plans.get(crawleeId) !== plan) return;
    if (refusal === 'lost') this.#options.onLost(crawleeId);
    else if (refusal.code === 'banned') this.#options.onBanned(crawleeId);
  }

  /** Forgets a session and gives its slot back. */
  drop(crawleeId: string): void {
    const plan = this.#plans.get(crawleeId);
    this.#plans.delete(crawleeId);
    if (plan !== undefined) void this.#giveBack(plan);
  }

  /** Gives all slots back that have not started. */
  async giveBackAll(): Promise<void> {
    this.#alarm.stop();
    await Promise.all([...this.#plans.values()].map((plan) => this.#giveBack(plan)));
  }

  async #giveBack(plan: Plan): Promise<void> {
    await plan.booking;
    const { slot, proxySessionId } = plan;
    plan.slot = undefined;
    if (slot !== undefined && slot.startsAtMs > this.#options.nowMs()) {
      await this.#options.cancel(proxySessionId, slot.id);
    }
  }

  #book(plan: Plan, host: string): Promise<SlotRefusal | undefined> {
    plan.booking = this.#ask(plan, host).finally(() => {
      plan.booking = undefined;
      // One that has started already has no start to wait for.
      this.#alarm.ring();
    });
    // Who waits for it is told; where nobody does, the next plan asks again.
    plan.booking.catch(() => undefined);
    return plan.booking;
  }

  async #ask(plan: Plan, host: string): Promise<SlotRefusal | undefined> {
    try {
      const answer = await this.#options.book(plan.proxySessionId, host);
      const nowMs = this.#options.nowMs();
      if (answer === 'lost') return answer;
      plan.refusedFor = 'retryAfterMs' in answer ? answer.code : undefined;
      if ('retryAfterMs' in answer) {
        plan.notBeforeMs = nowMs + (answer.retryAfterMs ?? RETRY_AFTER_MS);
        return answer;
      }
      plan.slot = slotOf(answer, host, nowMs);
      return undefined;
    } catch (error) {
      plan.notBeforeMs = this.#options.nowMs() + RETRY_AFTER_MS;
      throw error;
    }
  }

  /** When something happens to a plan that is worth telling. */
  #comesAtMs({ slot, notBeforeMs }: Plan): number {
    return slot === undefined ? notBeforeMs : this.#starts.dueAtMs(slot) - LEAD_MS;
  }

  #planOf(crawleeId: string, proxySessionId: string): Plan {
    const known = this.#plans.get(crawleeId);
    if (known?.proxySessionId === proxySessionId) return known;
    const plan: Plan = {
      proxySessionId,
      slot: undefined,
      booking: undefined,
      notBeforeMs: 0,
      refusedFor: undefined,
      granted: [],
    };
    this.#plans.set(crawleeId, plan);
    const [oldest] = this.#plans.keys();
    if (this.#plans.size > MAX_PLANS && oldest !== undefined) this.#plans.delete(oldest);
    return plan;
  }
}
