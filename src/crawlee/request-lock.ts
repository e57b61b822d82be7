// Keeps a request that the gateway holds for long from being handed out twice.
//
// Crawlee's queue locks a request for 180 s when it hands it out, and hands it out again once that is over; a crawler
// lengthens the locks of a queue it is given, but not of the one it opens itself.
// https://github.com/apify/crawlee/blob/v3.18.1/packages/basic-crawler/src/internals/basic-crawler.ts (requestLockSecs)

import type { Request, RequestProvider } from '@crawlee/core';

/** What the hook is handed. */
export interface NavigationContext {
  readonly request: Request;
  readonly crawler: { readonly requestQueue?: RequestProvider };
}

/** Time a lock outlasts what it is for, in seconds; as Crawlee has it. */
const LOCK_BUFFER_SECS = 15;

/** Until when requests may come along that were locked before the queue was told; in milliseconds of `nowMs`. */
const LATECOMERS_UNTIL_MS = new WeakMap<RequestProvider, number>();

/** Makes the lock of this request, and of all to come, last as long as a request may. */
export async function lengthenLock(
  { request, crawler: { requestQueue: queue } }: NavigationContext,
  requestSecs: number,
  nowMs = performance.now(),
): Promise<void> {
  if (queue === undefined || request.id === undefined) return;
  const lockSecs = requestSecs + LOCK_BUFFER_SECS;
  if (queue.requestLockSecs < lockSecs) {
    LATECOMERS_UNTIL_MS.set(queue, nowMs + queue.requestLockSecs * 1000);
    queue.requestLockSecs = lockSecs;
  }
  if (nowMs > (LATECOMERS_UNTIL_MS.get(queue) ?? -Infinity)) return;
  // A lock that is lost already can't be had back; Crawlee deals with that when the request is done.
  await queue.client.prolongRequestLock(request.id, { lockSecs }).catch(() => undefined);
}
