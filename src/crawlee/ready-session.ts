// The gateway session in which a request may go out now: bound, and its start waited for. What a lost one means to the
// Crawlee session is settled by the option `onSessionLost`.

import type { HttpRequest, ResponseTypes, Session } from '@crawlee/core';

import type { Core } from './core.js';
import { ProxySessionError } from './errors.js';
import { leadsTo, readProxySessionId, writeProxyUrl } from './proxy-url.js';
import { hostOf } from './ready-first.js';
import { awaitSlot } from './slots.js';

/** A request that is about to go out in a Crawlee session. */
export interface ReadyQuestion {
  readonly crawleeId: string;
  readonly url: string;
}

/**
 * Binds a Crawlee session and waits for its start; a session found lost is replaced once under `onSessionLost: 'recreate'`.
 *
 * @returns the ID of its gateway session
 * @throws as `SessionBindings.bind` and `awaitSlot` do
 */
export async function readySession(core: Core, question: ReadyQuestion): Promise<string> {
  try {
    return await bindAndWait(core, question);
  } catch (error) {
    const isReplaced = core.options.onSessionLost === 'recreate' && core.bindings.keeps(question.crawleeId);
    if (!isReplaced || !(error instanceof ProxySessionError) || error.code !== 'bad_session_id') throw error;
    return bindAndWait(core, question);
  }
}

/**
 * The proxy of a request that code of the user's sends: that of its session, whose start is waited for. Without a proxy of
 * its own it never leaves direct; one that names a session of another's is left alone.
 */
export async function proxyUrlOf<T extends keyof ResponseTypes>(
  core: Core,
  session: Session | undefined,
  { proxyUrl, url }: HttpRequest<T>,
): Promise<string> {
  const named = leadsTo(core.address, proxyUrl) ? readProxySessionId(proxyUrl) : undefined;
  const owner = named === undefined ? undefined : core.bindings.findOwner(named);
  if (session === undefined || (owner !== undefined && owner !== session.id)) {
    return proxyUrl ?? writeProxyUrl(core.address);
  }
  return writeProxyUrl(core.address, await readySession(core, { crawleeId: session.id, url: String(url) }));
}

async function bindAndWait(core: Core, { crawleeId, url }: ReadyQuestion): Promise<string> {
  const { id: proxySessionId } = await core.bindings.bindFor(crawleeId, hostOf(url));
  await awaitSlot(core, { crawleeId, proxySessionId, url });
  return proxySessionId;
}
