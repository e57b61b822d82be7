// Which request a task of a crawler is about. Crawlee asks its pool for a session without saying for what, so what a
// task has fetched is remembered along its asynchronous course.

import { AsyncLocalStorage } from 'node:async_hooks';

import type { Request, Session } from '@crawlee/core';

/** One task: from fetching a request to its end. */
interface Task {
  request: Request | undefined;
  /** The session it was given first; Crawlee asks again when it launches a browser. */
  session: Session | undefined;
}

/** The part of Crawlee's queue that is listened to. */
export interface RequestSource {
  fetchNextRequest(...given: unknown[]): Promise<Request | null>;
}

const tasks = new AsyncLocalStorage<Task>();
const watched = new WeakSet<RequestSource>();

/** Runs a task so that what it fetches is known in it. */
export function runTask<T>(task: () => Promise<T>): Promise<T> {
  return tasks.run({ request: undefined, session: undefined }, task);
}

/** Notes what tasks fetch from a queue; once per queue. */
export function watchSource(source: RequestSource): void {
  if (watched.has(source)) return;
  watched.add(source);
  const fetchNextRequest = source.fetchNextRequest.bind(source);
  source.fetchNextRequest = async (...given) => {
    const request = await fetchNextRequest(...given);
    const task = tasks.getStore();
    if (task !== undefined) task.request = request ?? undefined;
    return request;
  };
}

/** The request of the task that is running; undefined where it is not known. */
export function currentRequest(): Request | undefined {
  return tasks.getStore()?.request;
}

/** The Crawlee session that the request of the running task is to be sent in, if it names one. */
export function pinnedSessionId(): string | undefined {
  return readPinnedSession(currentRequest());
}

/** The Crawlee session that a request names with `userData.sessionId`. */
export function readPinnedSession(request: Request | undefined): string | undefined {
  const { sessionId }: { readonly sessionId?: unknown } = request?.userData ?? {};
  return typeof sessionId === 'string' ? sessionId : undefined;
}

/** The session that the running task was given already. */
export function sessionOfTask(): Session | undefined {
  return tasks.getStore()?.session;
}

/** Remembers the session of the running task. */
export function giveToTask(session: Session): void {
  const task = tasks.getStore();
  if (task !== undefined) task.session = session;
}
