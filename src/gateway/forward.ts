// A request for a target: attempts are made until one has an answer to relay, or none is left. The client sees one
// answer, or the end of its connection.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { transferCodingsOf } from '../protocol/raw-headers.js';
import { isInPlace } from '../sessions/choice.js';
import { GatewayError } from '../sessions/errors.js';
import { attemptsOf, mayRetry } from '../sessions/retry.js';
import type { SessionRef } from '../sessions/session.js';
import type { Acquired } from '../stores/session-store.js';
import { answerRequest, asGatewayError } from './answer.js';
import type { AskedRequest } from './asked-request.js';
import { type Answered, attempt, hasBody } from './attempt.js';
import type { GatewayContext } from './context.js';
import { Failures } from './failures.js';
import type { GivingUp } from '../upstreams/giving-up.js';
import { leavingOf } from './leaving.js';
import { relayAnswer, relayInformation } from './relay-answer.js';
import type { UseFacts } from './relay-headers.js';
import { RequestBody, tooLarge } from './request-body.js';
import { Use } from './use.js';

/** A request, and where its answer goes. */
export interface Forwarding {
  readonly request: AskedRequest;
  readonly res: ServerResponse;
}

/**
 * Serves a request. Never rejects: every failure is an answer, or the end of the connection.
 *
 * @returns the ID of the session that served it, if one did
 */
export async function forward(context: GatewayContext, { request, res }: Forwarding): Promise<string | undefined> {
  const { req } = request;
  const leaving = leavingOf(req, res);
  const { requestBytes } = context.options.limits;
  const body = new RequestBody(req, { maxBytes: requestBytes, onFailure: (error) => leaving.abort(error) });
  const course = new Course(context, { request, res, leaving, body });
  try {
    while (await course.attempt()) continue;
    return course.sessionId;
  } catch (thrown) {
    course.fail(asGatewayError(thrown));
    return undefined;
  } finally {
    await body.dispose();
  }
}

interface CourseParts extends Forwarding {
  readonly leaving: GivingUp;
  readonly body: RequestBody;
}

/** The attempts of one request. */
class Course {
  readonly #context: GatewayContext;
  readonly #parts: CourseParts;
  /** Upstreams that have failed. */
  #tried: Set<string> | undefined;
  #session: SessionRef | undefined;
  readonly #failures = new Failures();
  #attemptsLeft: number;
  /** Of the session that answered. */
  sessionId: string | undefined;

  constructor(context: GatewayContext, parts: CourseParts) {
    const { directives, session } = parts.request;
    this.#context = context;
    this.#parts = parts;
    this.#session = session ?? directives.session;
    const asked = { inSession: this.#session !== undefined, asked: directives.maxRetries };
    this.#attemptsLeft = attemptsOf(asked, context.options.retries);
  }

  /** Makes an attempt and settles it. @returns whether another one is to be made */
  async attempt(): Promise<boolean> {
    const { leaving } = this.#parts;
    this.#attemptsLeft -= 1;
    const use = this.#use();
    try {
      const { answer, facts } = await this.#ask(use);
      await this.#relay(use, answer, facts);
      await use.end();
      this.sessionId = use.acquired?.session?.id;
      return false;
    } catch (thrown) {
      return this.#endFailed(use, leaving.signal.aborted ? leaving.signal.reason : thrown);
    }
  }

  /** Answers with an error, or cuts the connection where an answer has begun. @returns the status told, if any */
  fail(error: GatewayError): number | undefined {
    const { request, res } = this.#parts;
    const { req, echo } = request;
    if (error.code !== 'client_conn_closed' && !res.headersSent) return answerRequest({ req, res }, error, echo);
    res.destroy();
    return undefined;
  }

  #use(): Use {
    const { request, leaving } = this.#parts;
    const { req, directives, echo, owner, target } = request;
    return new Use(this.#context, {
      directives,
      echo,
      owner,
      target,
      kind: 'request',
      method: req.method ?? '',
      socket: req.socket,
      left: leaving.signal,
      session: this.#session,
      tried: this.#session === undefined ? this.#tried : undefined,
    });
  }

  #ask(use: Use): Promise<Answered> {
    const { request, res, leaving, body } = this.#parts;
    refuseBody(request, this.#context.options.limits.requestBytes);
    return attempt(this.#context, {
      request,
      use,
      body,
      signal: leaving.signal,
      onInformation: (information) => relayInformation(res, information),
    });
  }

  #relay(use: Use, answer: IncomingMessage, facts: UseFacts): Promise<void> {
    const { request, res, leaving } = this.#parts;
    return relayAnswer({
      answer,
      res,
      facts,
      leaving,
      maxBytes: this.#context.options.limits.responseBytes,
      what: `Reading the answer of ${request.authority}`,
      onHead: (status) => use.answered(status),
    });
  }

  /** Settles an attempt that failed. @returns whether another one is to be made */
  async #endFailed(use: Use, thrown: unknown): Promise<boolean> {
    const error = asGatewayError(thrown);
    if (error.code === 'internal_error') this.#tellFailure(thrown);
    const { acquired } = use;
    const failing = {
      wasRefused: acquired === undefined,
      nextRequestInMs: acquired?.nextRequestInMs,
      nowMs: this.#context.clock.nowMs(),
    };
    this.#failures.note(error, failing);
    if (acquired !== undefined) this.#leaveOut(acquired, use.wasSent || error.code === 'banned');
    const retried = this.#mayGoOn(use, error);
    const told = retried ? error : this.#failures.told(error, failing);
    await use.end({ error: told, status: retried ? undefined : this.fail(told), retried });
    return retried;
  }

  /**
   * Leaves a way out that failed to the other requests, with all that have its outgoing IP where the target has seen
   * that. In a session there is but one way, and a session that was made for this request is the one of all attempts.
   */
  #leaveOut({ upstreamId, exit, outgoingIp, session }: Acquired, wasSeen: boolean): void {
    if (session !== undefined) this.#session = { kind: 'id', id: session.id };
    // One with many exits is worth another attempt: it goes through another exit.
    const tried = (this.#tried ??= new Set());
    if (exit === undefined) tried.add(upstreamId);
    if (!wasSeen) return;
    for (const upstream of this.#context.fleet.usable()) {
      if (upstream.outgoingIp === outgoingIp) tried.add(upstream.id);
    }
  }

  #mayGoOn(use: Use, { code }: GatewayError): boolean {
    const { request, res } = this.#parts;
    const { req, directives } = request;
    if (this.#attemptsLeft === 0 || use.acquired === undefined || res.headersSent) return false;
    if (!mayRetry({ code, method: req.method ?? '', hasBody: hasBody(req), wasSent: use.wasSent })) return false;
    if (use.acquired.session !== undefined) return true;
    const left = this.#context.fleet.usable().filter(({ id }) => this.#tried?.has(id) !== true);
    return left.some((upstream) => isInPlace(upstream, directives.traits));
  }

  #tellFailure(error: unknown): void {
    this.#context.emit({ type: 'gateway.failure', error, during: 'forward' });
  }
}

/** @throws GatewayError for a body that is too large, or coded in a way that ends at this hop */
function refuseBody({ req }: AskedRequest, maxBytes: number): void {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (req.headers['transfer-encoding'] === undefined) return;
  if (transferCodingsOf(req.rawHeaders).some((coding) => coding !== 'chunked')) {
    throw new GatewayError('bad_request', 'Of transfer codings only chunked is understood here; use Content-Encoding');
  }
}
