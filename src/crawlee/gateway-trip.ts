// One request through the gateway: what comes back from the gateway itself, as an answer or as a tunnel it refused, is
// turned into the error that Crawlee treats right.

import { Readable } from 'node:stream';

import type { BaseHttpResponseData, Session } from '@crawlee/core';

import type { Core } from './core.js';
import { sessionLost, wrongApiKey } from './errors.js';
import { isTunnelFailure, readGatewayAnswer, readSessionNews, readTunnelStatus } from './gateway-answers.js';
import type { SeenSession } from './gateway-sessions.js';
import { excuse, loseSession, settleRefusal } from './refused-trip.js';
import { judgeAnswer } from './refusal-verdicts.js';
import { explainTunnel } from './refused-tunnel.js';

/** A request on its way. */
export interface Trip {
  readonly url: string;
  readonly session: Session | undefined;
  /** The session it names; undefined outside sessions, and while it asks for a new one. */
  readonly proxySessionId: string | undefined;
  /** Whether it is a page that the crawler loads, so that Crawlee will count its failure against the session. */
  readonly isNavigation: boolean;
  /** Whether a lost session is to be replaced, so that the Crawlee session goes on. @default false: it is retired */
  readonly replacesLost?: boolean;
}

/** Errors of a client that did not get through to its proxy; it connects to nothing else. */
const UNREACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

/** No session has this ID; asking for it tells whether the key is known. */
const NO_SESSION = '0';

/** As much of the gateway's own answers as is read. */
const MAX_TEXT_LENGTH = 1_000;

/**
 * Sends a request and reads what the gateway has to say.
 *
 * @throws ProxySessionError if the gateway lost the session, CriticalError for a wrong API key, an Error for its other
 *   answers, and what `send` threw where that is not the gateway's doing
 */
export async function travel<R extends BaseHttpResponseData>(
  core: Core,
  trip: Trip,
  send: () => Promise<R>,
): Promise<R> {
  const crawleeId = trip.session?.id ?? '';
  const startedAtMs = performance.now();
  if (trip.isNavigation) core.verdicts.noteStart();
  core.bindings.enter(crawleeId);
  if (trip.isNavigation) core.held.release(crawleeId);
  try {
    const response = await send().catch(async (error: unknown) => {
      throw await explainFailure(core, trip, error, startedAtMs);
    });
    await checkAnswer(core, trip, response);
    return response;
  } finally {
    core.bindings.leave(crawleeId);
  }
}

async function checkAnswer(core: Core, trip: Trip, response: BaseHttpResponseData): Promise<void> {
  core.gateway.markReached();
  const answer = readGatewayAnswer(response, core.transport === 'headers');
  if (answer === undefined) {
    core.gateway.noWayOut.markFound();
    const { nextUseInMs } = readSessionNews(response, core.transport === 'headers');
    if (trip.session !== undefined) core.bindings.learn(trip.session.id, { nextUseInMs });
    core.verdicts.noteAnswer(trip.session, response.url);
    return;
  }
  const { url: targetUrl, proxySessionId } = trip;
  if (answer.code === undefined) {
    // A 407 without a word to it: a wrong key is said here, otherwise it is the target's own affair.
    await core.gateway.look(proxySessionId ?? NO_SESSION);
    return;
  }
  const text = await readText(response);
  const verdict = judgeAnswer(answer, { text, gatewayUrl: core.address.url, targetUrl, proxySessionId });
  throw await settleRefusal(core, trip, { ...answer, verdict });
}

/** Finds out what a failure means. Over https the reason is not in it, so the gateway is asked about the session. */
async function explainFailure(core: Core, trip: Trip, error: unknown, startedAtMs: number): Promise<unknown> {
  // Crawlee and got know their own time limits by class.
  if (!(error instanceof Error) || error.name === 'TimeoutError') return error;
  if ('code' in error && UNREACHED.has(String(error.code))) {
    excuse(trip);
    return core.gateway.awaitReturn(error);
  }
  const status = readTunnelStatus(error);
  const isRefused = status !== undefined || isTunnelFailure(error);
  if (!isRefused && !trip.url.startsWith('https:')) return error;
  if (status === 407) return wrongApiKey(core.address.url, error);
  const { proxySessionId } = trip;
  let seen: SeenSession | undefined;
  try {
    seen = proxySessionId === undefined ? {} : await core.gateway.look(proxySessionId);
  } catch (askingError) {
    return askingError;
  }
  if (seen === undefined) return loseSession(core, trip, sessionLost(proxySessionId ?? '', error));
  return isRefused ? explainTunnel(core, trip, { status, seen, startedAtMs, cause: error }) : error;
}

/** Reads the text of an answer that nobody else will read, and lets its connection go. */
async function readText(response: BaseHttpResponseData): Promise<string> {
  if ('body' in response) return String(response.body).slice(0, MAX_TEXT_LENGTH);
  if (!('stream' in response) || !(response.stream instanceof Readable)) return '';
  let text = '';
  try {
    // Leaving the loop destroys the stream.
    for await (const chunk of response.stream) {
      text += String(chunk);
      if (text.length >= MAX_TEXT_LENGTH) break;
    }
  } catch {
    // Status and code are known already; the text would only have made the message better.
  }
  return text.slice(0, MAX_TEXT_LENGTH);
}
