// The course of one use, the same for a request, an upgrade and a tunnel: acquire, wait for the slot, go out, settle.
// What is sent, and how an error is answered, is the business of those who use it.

import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { sentSessionId } from '../protocol/directives.js';
import { GatewayError } from '../sessions/errors.js';
import type { SessionRef } from '../sessions/session.js';
import type { Acquired, UseOutcome } from '../stores/session-store.js';
import type { Asked } from './admission.js';
import type { Target } from './request-target.js';
import { toAuthority } from '../upstreams/target-address.js';
import type { GiveUp, Upstream } from '../upstreams/upstream.js';
import type { GatewayContext } from './context.js';
import type { UseSettled } from './events.js';
import type { HeldUpstream } from './fleet.js';
import { refusalError } from './refusals.js';
import type { UseFacts } from './relay-headers.js';
import { refuseTarget, refuseUnknownPlace } from './target-rules.js';
import { countTraffic } from './traffic-meter.js';

/** What is known of a use before it is acquired. */
export interface UsePlan extends Asked {
  /** Names the API key. */
  readonly owner: string;
  readonly kind: 'request' | 'tunnel';
  readonly method: string;
  readonly target: Target;
  /** The client's connection, whose bytes are counted. */
  readonly socket: Socket;
  /** Aborted when the client leaves. */
  readonly left: GiveUp;
  /** In place of the one in the directives: that of a session which an attempt before this one made. */
  readonly session?: SessionRef | undefined;
  /** Upstreams that were tried before, and are not taken again. */
  readonly tried?: ReadonlySet<string> | undefined;
}

/** How a use ended without the answer of a target being told. */
export interface FailedUse {
  readonly error: GatewayError;
  /** What the client was told; undefined where it left, or another attempt is made. */
  readonly status: number | undefined;
  readonly retried: boolean;
}

/** A use on its way; `end` it, whatever happens. */
export class Use {
  readonly #context: GatewayContext;
  readonly #plan: UsePlan;
  readonly #arrivedAtMs: number;
  #acquired: Acquired | undefined;
  #held: HeldUpstream | undefined;
  #wentAtMs: number | undefined;
  #sentAtMs: number | undefined;
  #status: number | undefined;

  constructor(context: GatewayContext, plan: UsePlan) {
    this.#context = context;
    this.#plan = plan;
    this.#arrivedAtMs = context.clock.nowMs();
  }

  /** Gets the session, the upstream and a start. @throws GatewayError where that is refused */
  async acquire(): Promise<Acquired> {
    const { owner, target, directives, kind, session = directives.session, tried } = this.#plan;
    if (this.#context.closing.aborted) throw this.#context.closing.reason;
    refuseUnknownPlace(this.#context, directives);
    refuseTarget(this.#context, target);
    const answer = await this.#context.store.acquire({
      owner,
      session,
      traits: directives.traits,
      target: { host: target.host, site: target.site },
      tunnel: kind === 'tunnel' ? toAuthority(target) : undefined,
      upstreams: this.#context.fleet.usable(),
      except: tried,
      facts: this.#context.fleet,
    });
    if (!answer.ok) throw refusalError(answer, directives);
    this.#acquired = answer;
    this.#held = this.#context.fleet.hold(answer.upstreamId);
    this.#context.emit({ type: 'use.started', owner });
    return answer;
  }

  /** What was acquired; undefined until then. */
  get acquired(): Acquired | undefined {
    return this.#acquired;
  }

  /**
   * Starts it, where its start is now.
   *
   * @returns whether it was; one that has to `wait` needs its client's connection read, or the client's leaving goes unseen
   * @throws as `wait`
   */
  startNow(): boolean {
    this.#wentAtMs = this.#context.room.go(this.#live(), this.#plan.left);
    if (this.#wentAtMs !== undefined) this.#watchExit();
    return this.#wentAtMs !== undefined;
  }

  /**
   * Waits for the start, if need be.
   *
   * @throws the reason of the client's leaving, or of the gateway's closing; GatewayError `banned` where another use has
   *   met a ban meanwhile
   */
  async wait(): Promise<void> {
    if (this.startNow()) return;
    const { room, store } = this.#context;
    this.#wentAtMs = await room.wait(this.#live(), this.#plan.left);
    const refusal = await store.refusalOf(this.#live().ticket);
    if (refusal !== undefined) throw refusalError(refusal, this.#plan.directives);
    this.#watchExit();
  }

  /** The way out of this use. */
  get upstream(): Upstream {
    const upstream = this.#held?.upstream;
    const { exit } = this.#live();
    if (upstream === undefined) throw new GatewayError('noslaves', 'The upstream of this request is gone; try again');
    return exit === undefined ? upstream : (upstream.exits?.through(exit) ?? upstream);
  }

  /** Tells that it really goes out now. */
  sent(): void {
    this.#sentAtMs = this.#context.clock.nowMs();
    this.#context.room.sent(this.#live(), this.#wentAtMs ?? this.#arrivedAtMs);
  }

  /** Whether its target may have seen it. */
  get wasSent(): boolean {
    return this.#sentAtMs !== undefined;
  }

  /** Milliseconds since it went out. */
  get sinceSentMs(): number {
    return this.#context.clock.nowMs() - (this.#sentAtMs ?? this.#arrivedAtMs);
  }

  /** What its answer tells of it. */
  get facts(): UseFacts {
    const { session, outgoingIp, nextRequestInMs } = this.#live();
    const { exposeOutgoingIp } = this.#context.options;
    const exposed = exposeOutgoingIp ? outgoingIp : undefined;
    const formerIp = exposeOutgoingIp || session?.formerIp === undefined ? session?.formerIp : 'true';
    const requestId = this.#plan.echo.dialect === 'zyte' ? randomUUID() : undefined;
    const hiddenField = exposeOutgoingIp ? undefined : this.#held?.upstream.tellsOutgoingIp;
    return { sessionId: session?.id, outgoingIp: exposed, formerIp, nextRequestInMs, requestId, hiddenField };
  }

  /** Notes that an answer of the target, or the opening of the tunnel, is being told to the client. */
  answered(status: number): void {
    this.#status = status;
  }

  /** Whether that was noted. */
  get wasAnswered(): boolean {
    return this.#status !== undefined;
  }

  /** Settles it: a use that never started gives its slot back. */
  async end(failed?: FailedUse): Promise<void> {
    const { bytesOut, bytesIn } = countTraffic(this.#plan.socket);
    const ending = { failed, bytesOut, bytesIn };
    if (this.#acquired !== undefined) await this.#giveBack(this.#acquired, ending);
    this.#held?.release();
    this.#context.emit(this.#settled(ending));
  }

  /** The exit of a request without a session is used this once, and nobody wants to know its outgoing IP. */
  #watchExit(): void {
    const { session, upstreamId, exit } = this.#live();
    if (session !== undefined) this.#context.watching.used(upstreamId, exit);
  }

  #giveBack({ ticket, session }: Acquired, { failed, bytesOut, bytesIn }: Ending): Promise<unknown> {
    const { store } = this.#context;
    if (this.#wentAtMs === undefined) return store.cancel(ticket);
    return store.release(ticket, { result: this.#result(failed, session !== undefined), bytesOut, bytesIn });
  }

  /** A ban ends a session only when no attempt is left; outside sessions each one counts for its outgoing IP. */
  #result(failed: FailedUse | undefined, isInSession: boolean): UseOutcome['result'] {
    if (isInSession && failed?.retried === true) return 'retried';
    // A ban that was met by another use was told by that one.
    if (failed?.error.code === 'banned' && this.wasSent) return 'banned';
    return this.#status === undefined ? 'failed' : 'answered';
  }

  #settled({ failed, bytesOut, bytesIn }: Ending): UseSettled {
    const { owner, kind, method, target, directives } = this.#plan;
    const acquired = this.#acquired;
    const nowMs = this.#context.clock.nowMs();
    return {
      type: 'use.settled',
      owner,
      kind,
      method,
      target: `${target.host}:${target.port}`,
      sessionId: acquired?.session?.id ?? sentSessionId(directives),
      upstream: acquired?.upstreamId,
      outgoingIp: acquired?.outgoingIp,
      waitMs: acquired === undefined ? 0 : (this.#wentAtMs ?? nowMs) - this.#arrivedAtMs,
      tookMs: nowMs - this.#arrivedAtMs,
      status: this.#status ?? failed?.status,
      error: failed?.error.code,
      retried: failed?.retried ?? false,
      jobId: directives.jobId,
      client: directives.client,
      bytesOut,
      bytesIn,
    };
  }

  #live(): Acquired {
    if (this.#acquired === undefined) throw new Error('This use was not acquired');
    return this.#acquired;
  }
}

interface Ending {
  readonly failed: FailedUse | undefined;
  readonly bytesOut: number;
  readonly bytesIn: number;
}
