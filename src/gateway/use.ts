// The course of one use, the same for a request and a tunnel: admit, acquire, wait for the slot, go out, settle. What
// is sent, and how an error is answered, is the business of `forward.ts` and `tunnel.ts`.

import type { Socket } from 'node:net';
import { type Directives, sentSessionId } from '../protocol/directives.js';
import { GatewayError } from '../sessions/errors.js';
import type { Acquired, UseOutcome } from '../stores/session-store.js';
import type { Target } from './request-target.js';
import type { Upstream } from '../upstreams/upstream.js';
import { type GatewayContext, usableUpstreams } from './context.js';
import { refusalError } from './refusals.js';
import type { UseFacts } from './relay-headers.js';
import { createTrafficMeter } from './traffic-meter.js';

/** What is known of a use before it is acquired. */
export interface UsePlan {
  /** Names the API key. */
  readonly owner: string;
  readonly kind: 'request' | 'tunnel';
  readonly method: string;
  readonly target: Target;
  readonly directives: Directives;
  /** The client's connection, whose bytes are counted. */
  readonly socket: Socket;
  /** Aborted when the client leaves. */
  readonly left: AbortSignal;
}

/** A use on its way; `end` it, whatever happens. */
export class Use {
  readonly #context: GatewayContext;
  readonly #plan: UsePlan;
  readonly #meter;
  readonly #arrivedAtMs: number;
  #acquired: Acquired | undefined;
  #wentAtMs: number | undefined;
  #status: number | undefined;

  constructor(context: GatewayContext, plan: UsePlan) {
    this.#context = context;
    this.#plan = plan;
    this.#meter = createTrafficMeter(plan.socket);
    this.#arrivedAtMs = context.clock.nowMs();
  }

  /** Gets the session, the upstream and a start. @throws GatewayError where that is refused */
  async acquire(): Promise<void> {
    const { owner, target, directives, kind } = this.#plan;
    this.#refuseTarget(target);
    if (this.#context.closing.aborted) throw this.#context.closing.reason;
    const answer = await this.#context.store.acquire({
      owner,
      session: directives.session,
      traits: directives.traits,
      target: { host: target.host, site: target.site },
      tunnel: kind === 'tunnel' ? `${target.host}:${target.port}` : undefined,
      upstreams: usableUpstreams(this.#context),
    });
    if (!answer.ok) throw refusalError(answer, directives);
    this.#acquired = answer;
    this.#context.emit({ type: 'use.started', owner });
  }

  /** Whether it has to wait for its start; then the client's connection must be read, or its leaving goes unseen. */
  get mustWait(): boolean {
    return this.#context.room.mustWait(this.#live());
  }

  /** Waits for the start. @throws the reason of the client's leaving, or of the gateway's closing */
  async wait(): Promise<void> {
    this.#wentAtMs = await this.#context.room.wait(this.#live(), this.#plan.left);
  }

  /** The way out of this use. */
  get upstream(): Upstream {
    const upstream = this.#context.upstreams.get(this.#live().upstreamId);
    if (upstream === undefined) throw new GatewayError('noslaves', 'The upstream of this request is gone; try again');
    return upstream;
  }

  /** Tells that it really goes out now. */
  sent(): void {
    this.#context.room.sent(this.#live(), this.#wentAtMs ?? this.#arrivedAtMs);
  }

  /** What its answer tells of it. */
  get facts(): UseFacts {
    const { session, outgoingIp, nextRequestInMs } = this.#live();
    const exposed = this.#context.options.exposeOutgoingIp ? outgoingIp : undefined;
    return { sessionId: session?.id, outgoingIp: exposed, nextRequestInMs };
  }

  /** Notes that an answer of the target, or the opening of the tunnel, is being told to the client. */
  answered(status: number): void {
    this.#status = status;
  }

  /** Settles it: a use that never started gives its slot back. `error` is what the client was told instead. */
  async end(error?: { readonly error: GatewayError; readonly status: number | undefined }): Promise<void> {
    const { owner, kind, method, target, directives } = this.#plan;
    const acquired = this.#acquired;
    const traffic = { bytesOut: this.#meter.bytesOut(), bytesIn: this.#meter.bytesIn() };
    this.#meter.stop();
    if (acquired !== undefined) await this.#giveBack(acquired, traffic);
    this.#context.emit({
      type: 'use.settled',
      owner,
      kind,
      method,
      target: `${target.host}:${target.port}`,
      sessionId: acquired?.session?.id ?? sentSessionId(directives),
      upstream: acquired?.upstreamId,
      outgoingIp: acquired?.outgoingIp,
      waitMs: acquired === undefined ? 0 : (this.#wentAtMs ?? this.#context.clock.nowMs()) - this.#arrivedAtMs,
      tookMs: this.#context.clock.nowMs() - this.#arrivedAtMs,
      status: this.#status ?? error?.status,
      error: error?.error.code,
      retried: false,
      jobId: directives.jobId,
      client: directives.client,
      ...traffic,
    });
  }

  async #giveBack({ ticket }: Acquired, traffic: Pick<UseOutcome, 'bytesIn' | 'bytesOut'>): Promise<void> {
    const { store } = this.#context;
    if (this.#wentAtMs === undefined) await store.cancel(ticket);
    else await store.release(ticket, { result: this.#status === undefined ? 'failed' : 'answered', ...traffic });
  }

  #refuseTarget({ host, port }: Target): void {
    const refusal = this.#context.isOwnAuthority(host, port)
      ? `${host}:${port} is this gateway itself; its API is asked directly, at its own address`
      : this.#context.policy.refusal(host, port);
    if (refusal !== undefined) throw new GatewayError('domain_forbidden', refusal);
  }

  #live(): Acquired {
    if (this.#acquired === undefined) throw new Error('This use was not acquired');
    return this.#acquired;
  }
}
