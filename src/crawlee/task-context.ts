// Which request a task of a crawler is about. Crawlee asks its pool for a session without saying for what, so what a
// task has fetched is remembered along its asynchronous course.

import { AsyncLocalStorage } from 'node:async_hooks';

import type { Request, Session } from '@crawlee/core';

/** One task: from fetching a request to its end. */
interface Task {
  request: Request | undefined;
  /** The session it was given first; Crawlee asks again when it launches a browser. */
  session: Session | undefined;
  /** What is to be done when it is over. */
  readonly ends: (() => void)[];
}

/** The part of Crawlee's queue that is listened to. */
export interface RequestSource {
  fetchNextRequest(...given: unknown[]): Promise<Request | null>;
}

const tasks = new AsyncLocalStorage<Task>();
const watched = new WeakSet<RequestSource>();

/** Runs a task so that what it fetches is known in it. */
export async function runTask<T>(run: () => Promise<T>): Promise<T> {
  const task: Task = { request: undefined, session: undefined, ends: [] };
  try {
    return await tasks.run(task, run);
  } finally {
    for (const end of task.ends) end();
  }
}

/** The running task, as a thing to compare; undefined where it is not known. */
export function currentTask(): object | undefined {
  return tasks.getStore();
}

/** Does something when the running task is over, however that ends; nothing where the task is not known. */
export function whenTaskEnds(end: () => void): void {
  tasks.getStore()?.ends.push(end);
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
