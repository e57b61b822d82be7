// The proxy that a Crawlee session's request goes through: the gateway with its session, once that is bound and its start
// has come. What Crawlee makes of the URL is not known here.

import { RetryRequestError, SessionError } from '@crawlee/core';
import type { Request, Session } from '@crawlee/core';

import type { Core } from './core.js';
import { headersNeedPreset } from './errors.js';
import { refuseWrongSession } from './pinned-request.js';
import { ProxySession } from './proxy-session.js';
import { writeProxyUrl } from './proxy-url.js';
import { hostOf } from './ready-first.js';
import { readySession } from './ready-session.js';

/** Where a request goes. */
export interface SessionProxy {
  readonly url: string;
  /** The gateway session that the URL names; undefined where the HTTP client of the preset puts it on the request. */
  readonly proxySessionId: string | undefined;
}

/**
 * Gives the proxy of a Crawlee session, bound at the first call.
 *
 * @param request that it is for; with a preset that paces, its turn is waited for
 * @throws as `SessionBindings.bind`, `refuseWrongSession` and `readySession` do; TypeError with transport 'headers' and
 *   no preset
 */
export async function proxyOfSession(
  core: Core,
  crawleeId: string,
  request: Request | undefined,
): Promise<SessionProxy> {
  const { address, adopted, transport } = core;
  const hasPreset = adopted.has(crawleeId);
  if (hasPreset && request !== undefined) refuseWrongSession(core, crawleeId, request);
  if (transport === 'headers') {
    if (!hasPreset) throw headersNeedPreset();
    return { url: writeProxyUrl(address), proxySessionId: undefined };
  }
  try {
    const proxySessionId = await bindFor(core, crawleeId, request);
    return { url: writeProxyUrl(address, proxySessionId), proxySessionId };
  } catch (error) {
    if (hasPreset && request !== undefined) spare(adopted.find(crawleeId), error);
    throw error;
  }
}

async function bindFor(core: Core, crawleeId: string, request: Request | undefined): Promise<string> {
  const { adopted, bindings, slots } = core;
  const { id } = await bindings.bindFor(crawleeId, hostOf(request?.url));
  const isPaced = adopted.has(crawleeId) && slots?.isNeeded === true && request !== undefined;
  return isPaced ? awaitTurn(core, crawleeId, request) : id;
}

/** Spares the session of a page that is only to be tried again, which Crawlee would count against it all the same. */
function spare(session: Session | undefined, error: unknown): void {
  const isWait = error instanceof RetryRequestError && !(error instanceof SessionError);
  if (isWait && session instanceof ProxySession) session.excuseNextError();
}

/** Waits for the request's turn; its gateway session is kept until it is sent, whatever becomes of the Crawlee session. */
async function awaitTurn(core: Core, crawleeId: string, { url }: Request): Promise<string> {
  const { held } = core;
  held.hold(crawleeId);
  try {
    return await readySession(core, { crawleeId, url });
  } catch (error) {
    held.release(crawleeId);
    throw error;
  }
}
