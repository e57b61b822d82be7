// A request for a target: attempts are made until one has an answer to relay, or none is left. The client sees one
// answer, or the end of its connection.

import type { ServerResponse } from 'node:http';
import { transferCodingsOf } from '../protocol/raw-headers.js';
import { GatewayError } from '../sessions/errors.js';
import { attemptsOf, mayRetry } from '../sessions/retry.js';
import type { SessionRef } from '../sessions/session.js';
import { answerRequest, asGatewayError } from './answer.js';
import type { AskedRequest } from './asked-request.js';
import { attempt, hasBody } from './attempt.js';
import { type GatewayContext, usableUpstreams } from './context.js';
import { leavingOf } from './leaving.js';
import { relayAnswer, relayInformation } from './relay-answer.js';
import { RequestBody, tooLarge } from './request-body.js';
import { Use } from './use.js';

/** A request, and where its answer goes. */
export interface ForwardRequest extends AskedRequest {
  readonly res: ServerResponse;
}

/**
 * Serves a request. Never rejects: every failure is an answer, or the end of the connection.
 *
 * @returns the ID of the session that served it, if one did
 */
export async function forward(context: GatewayContext, request: ForwardRequest): Promise<string | undefined> {
  const { req, res } = request;
  const leaving = leavingOf(req, res);
  const { requestBytes } = context.options.limits;
  const body = new RequestBody(req, { maxBytes: requestBytes, onFailure: (error) => leaving.abort(error) });
  const course = new Course(context, { request, leaving, body });
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

interface CourseParts {
  readonly request: ForwardRequest;
  readonly leaving: AbortController;
  readonly body: RequestBody;
}

/** The attempts of one request. */
class Course {
  readonly #context: GatewayContext;
  readonly #parts: CourseParts;
  readonly #tried = new Set<string>();
  #session: SessionRef | undefined;
  #attemptsLeft: number;
  #lastError: GatewayError | undefined;
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
      await this.#exchange(use);
      await use.end();
      this.sessionId = use.acquired?.session?.id;
      return false;
    } catch (thrown) {
      const error = this.#errorOf(leaving.signal.aborted ? leaving.signal.reason : thrown, use);
      if (error.code === 'internal_error') this.#tellFailure(thrown);
      const retried = this.#mayGoOn(use, error);
      const status = retried ? undefined : this.fail(error);
      await use.end({ error, status, retried });
      if (retried) this.#goOn(use, error);
      return retried;
    }
  }

  /** Answers with an error, or cuts the connection where an answer has begun. @returns the status told, if any */
  fail(error: GatewayError): number | undefined {
    const { res, req, echo } = this.#parts.request;
    if (error.code !== 'client_conn_closed' && !res.headersSent) return answerRequest({ req, res }, error, echo);
    res.destroy();
    return undefined;
  }

  #use(): Use {
    const { request, leaving } = this.#parts;
    const { req } = request;
    return new Use(this.#context, {
      ...request,
      kind: 'request',
      method: req.method ?? '',
      socket: req.socket,
      left: leaving.signal,
      session: this.#session,
      tried: this.#session === undefined ? this.#tried : undefined,
    });
  }

  async #exchange(use: Use): Promise<void> {
    const { request, leaving, body } = this.#parts;
    const { res, authority } = request;
    refuseBody(request, this.#context.options.limits.requestBytes);
    const { answer, facts } = await attempt(this.#context, {
      request,
      use,
      body,
      signal: leaving.signal,
      onInformation: (information) => relayInformation(res, information),
    });
    await relayAnswer({
      answer,
      res,
      facts,
      leaving,
      maxBytes: this.#context.options.limits.responseBytes,
      what: `Reading the answer of ${authority}`,
      onHead: (status) => use.answered(status),
    });
  }

  /** The error to tell: when a further attempt is refused its start, that of the attempt before it says more. */
  #errorOf(thrown: unknown, use: Use): GatewayError {
    const error = asGatewayError(thrown);
    const isRefusal = use.acquired === undefined && error.code !== 'client_conn_closed' && error.code !== 'banned';
    return isRefusal && this.#lastError !== undefined ? this.#lastError : error;
  }

  #mayGoOn(use: Use, { code }: GatewayError): boolean {
    const { req, res } = this.#parts.request;
    if (this.#attemptsLeft === 0 || use.acquired === undefined || res.headersSent) return false;
    if (!mayRetry({ code, method: req.method ?? '', hasBody: hasBody(req), wasSent: use.wasSent })) return false;
    const { upstreamId, session } = use.acquired;
    return (
      session !== undefined ||
      usableUpstreams(this.#context).some(({ id }) => id !== upstreamId && !this.#tried.has(id))
    );
  }

  #goOn({ acquired }: Use, error: GatewayError): void {
    this.#lastError = error;
    if (acquired === undefined) return;
    this.#tried.add(acquired.upstreamId);
    // A session that was made for this request and is banned has its answer: further attempts are its own.
    if (error.code === 'banned' && acquired.session !== undefined)
      this.#session = { kind: 'id', id: acquired.session.id };
  }

  #tellFailure(error: unknown): void {
    this.#context.emit({ type: 'gateway.failure', error, during: 'forward' });
  }
}

/** @throws GatewayError for a body that is too large, or coded in a way that ends at this hop */
function refuseBody({ req }: ForwardRequest, maxBytes: number): void {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (transferCodingsOf(req.rawHeaders).some((coding) => coding !== 'chunked')) {
    throw new GatewayError('bad_request', 'Of transfer codings only chunked is understood here; use Content-Encoding');
  }
}
