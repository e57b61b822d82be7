// One request through the gateway: what comes back from the gateway itself, as an answer or as a tunnel it refused, is
// turned into the error that Crawlee treats right.

import { Readable } from 'node:stream';

import type { BaseHttpResponseData, Session } from '@crawlee/core';

import type { Core } from './core.js';
import { sessionBanned, sessionLost, SessionReplaced, wrongApiKey } from './errors.js';
import { judgeAnswer, judgeTunnel, readGatewayAnswer, readSessionNews, readTunnelStatus } from './gateway-answers.js';
import type { SeenSession } from './gateway-sessions.js';
import { ProxySession } from './proxy-session.js';
import { hostOf } from './ready-first.js';

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

/** The protocol's own delay, where the server can't be asked for its own; in milliseconds. */
const DEFAULT_DELAY_MS = 12_000;

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
  if (trip.isNavigation) core.verdicts.noteStart();
  core.bindings.enter(crawleeId);
  if (trip.isNavigation) core.held.release(crawleeId);
  try {
    const response = await send().catch(async (error: unknown) => {
      throw await explainFailure(core, trip, error);
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
  if (answer.code === 'bad_session_id') throw loseSession(core, trip, verdict.error);
  // At once, so that no further request is put into it before this one's error arrives.
  if (answer.code === 'banned') core.verdicts.endBanned(trip.session);
  if (answer.code === 'serverbusy') await waitTurn(core, trip, answer.retryAfterMs);
  if (verdict.isSessionFine) excuse(trip);
  throw verdict.error;
}

/** Waits until a request that was refused may be sent again. */
export async function waitTurn(
  { bindings, gateway, busyTurns, maxHoldMs }: Core,
  trip: Trip,
  waitMs = 0,
): Promise<void> {
  const delayMs = (await gateway.upstreams())?.delays.defaultMs ?? DEFAULT_DELAY_MS;
  const sessionId = trip.session?.id ?? '';
  const outgoingIp = bindings.find(sessionId)?.outgoingIp ?? sessionId;
  await busyTurns.wait(outgoingIp, { waitMs, delayMs, atMostMs: maxHoldMs });
}

/** Finds out what a failure means. Over https the reason is not in it, so the gateway is asked about the session. */
async function explainFailure(core: Core, trip: Trip, error: unknown): Promise<unknown> {
  // Crawlee and got know their own time limits by class.
  if (!(error instanceof Error) || error.name === 'TimeoutError') return error;
  if ('code' in error && UNREACHED.has(String(error.code))) {
    excuse(trip);
    return core.gateway.awaitReturn(error);
  }
  const status = readTunnelStatus(error);
  if (status === undefined && !trip.url.startsWith('https:')) return error;
  if (status === 407) return wrongApiKey(core.address.url, error);
  const { proxySessionId, url: targetUrl } = trip;
  let seen: SeenSession | undefined;
  try {
    seen = proxySessionId === undefined ? {} : await core.gateway.look(proxySessionId);
  } catch (askingError) {
    return askingError;
  }
  if (seen === undefined) return loseSession(core, trip, sessionLost(proxySessionId ?? '', error));
  if (status === undefined) return error;
  const ban = status === 503 ? await findBan(core, trip, { seen, cause: error }) : undefined;
  if (ban !== undefined) return ban;
  const isBusy = (seen.nextUseInMs ?? 0) > 0;
  if (status === 503 && isBusy) await waitTurn(core, trip, seen.nextUseInMs);
  const verdict = judgeTunnel(status, { targetUrl, isBusy, cause: error });
  if (verdict.isSessionFine) excuse(trip);
  return verdict.error;
}

/**
 * Finds out whether a tunnel was refused because the target has banned the session's outgoing IP, and ends the session
 * then. There is no call that says so but a booking, which is given back.
 */
export async function findBan(
  core: Core,
  trip: Trip,
  { seen, cause }: { readonly seen: SeenSession; readonly cause: unknown },
): Promise<Error | undefined> {
  const { gateway } = core;
  const { proxySessionId, url } = trip;
  const host = hostOf(url);
  if (proxySessionId === undefined || host === undefined) return undefined;
  const delays = (await gateway.upstreams())?.delays;
  // Past what the gateway holds it is a matter of waiting, and a booking more would only be refused like the request.
  const isHeld = (seen.nextUseInMs ?? 0) + (delays?.defaultMs ?? 0) < (delays?.maxHoldMs ?? 0);
  const asked = isHeld ? await gateway.bookSlot(proxySessionId, host).catch(() => undefined) : undefined;
  if (asked === undefined || asked === 'lost') return undefined;
  if ('slot' in asked) {
    await gateway.cancelSlot(proxySessionId, asked.slot);
    return undefined;
  }
  if (asked.code !== 'banned') return undefined;
  core.verdicts.endBanned(trip.session);
  return sessionBanned(proxySessionId, { host, retryAfterMs: asked.retryAfterMs, cause });
}

/** Ends a Crawlee session with its lost gateway session, or has another made for it. @returns what to tell Crawlee */
function loseSession({ bindings }: Core, trip: Trip, lost: Error): Error {
  const { session, proxySessionId, replacesLost = false } = trip;
  if (session === undefined) return lost;
  if (replacesLost && proxySessionId !== undefined) {
    bindings.replace(session.id, proxySessionId);
    excuse(trip);
    return new SessionReplaced(proxySessionId, lost);
  }
  bindings.forget(session.id);
  session.retire();
  return lost;
}

/** Spares the session of a request whose failure says nothing about it. */
export function excuse({ session, isNavigation }: Trip): void {
  if (isNavigation && session instanceof ProxySession) session.excuseNextError();
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
