// Whether a request goes in the Crawlee session that it names with `userData.sessionId`. The pool sees to that; what it
// could not see to is refused here, before anything is sent.

import type { Request } from '@crawlee/core';

import type { Core } from './core.js';
import { pinnedElsewhere, pinnedSessionGone } from './errors.js';
import { ProxySession } from './proxy-session.js';
import { readPinnedSession } from './task-context.js';

/**
 * Refuses a request that was put into another session than the one it names.
 *
 * @throws NonRetryableError if that session is gone, RetryRequestError if it is there
 */
export function refuseWrongSession({ adopted }: Pick<Core, 'adopted'>, crawleeId: string, request: Request): void {
  const named = readPinnedSession(request);
  if (named === undefined || named === crawleeId) return;
  // The session that it was put into has done nothing wrong.
  const session = adopted.find(crawleeId);
  if (session instanceof ProxySession) session.excuseNextError();
  throw adopted.find(named)?.isUsable() === true
    ? pinnedElsewhere(named, request.url)
    : pinnedSessionGone(named, request.url);
}
