// How long the gateway session of a request is kept that has its session and is not sent yet.

import { once } from 'node:events';

import { expect, test, vi } from 'vitest';

import { HeldBindings } from '../../src/crawlee/held-bindings.js';
import { SessionBindings } from '../../src/crawlee/session-bindings.js';
import { runTask } from '../../src/crawlee/task-context.js';
import { crawlWith, sessionOf } from './browser-crawl.js';
import type { BrowserContext } from './browser-crawl.js';
import { configure, listSessions, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

/** A bound Crawlee session `a`, what holds it, and the gateway sessions that were deleted. */
async function open() {
  const deleted: string[] = [];
  const bindings = new SessionBindings({
    create: () => Promise.resolve({ id: '1', outgoingIp: '127.0.0.2' }),
    isThere: () => Promise.resolve(true),
    recreatesLost: () => false,
    isFull: () => false,
    delete: (id) => Promise.resolve(void deleted.push(id)),
    onDeleteFailed: () => undefined,
  });
  await bindings.bind('a');
  return { bindings, held: new HeldBindings(bindings), deleted };
}

test('a session that is retired meanwhile is kept until the request is sent', async () => {
  const { bindings, held, deleted } = await open();
  await runTask(async () => {
    held.hold('a');
    bindings.release('a');
    await bindings.settled();
    expect(deleted).toEqual([]);
    held.release('a');
    await bindings.settled();
    expect(deleted).toEqual(['1']);
  });
});

test('a request that is never sent keeps it no longer than its task', async () => {
  const { bindings, held, deleted } = await open();
  const task = runTask(async () => {
    held.hold('a');
    bindings.release('a');
    throw new Error('the page could not be opened');
  });
  await expect(task).rejects.toThrow('could not be opened');
  await bindings.settled();
  expect(deleted).toEqual(['1']);
});

test('a request that is sent lets nobody else go', async () => {
  const { bindings, held, deleted } = await open();
  const first = new EventTarget();
  const isOver = once(first, 'over');
  const waiting = runTask(async () => {
    held.hold('a');
    await isOver;
  });
  await runTask(async () => {
    held.hold('a');
    held.release('a');
    // Twice, as a handler's second navigation does.
    held.release('a');
  });
  bindings.release('a');
  await bindings.settled();
  expect(deleted).toEqual([]);
  first.dispatchEvent(new Event('over'));
  await waiting;
  await bindings.settled();
  expect(deleted).toEqual(['1']);
});

test('a page of a browser whose hooks failed keeps its retired session no longer than the page is open', async () => {
  const gateway = await openGateway({ delays: { default: '50ms' } });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const seen: number[] = [];
  const options = configuration.browserCrawlerOptions({
    maxConcurrency: 1,
    preNavigationHooks: [
      (context: BrowserContext) => {
        sessionOf(context).retire();
        throw new Error('a hook of the user');
      },
    ],
    requestHandler() {},
    failedRequestHandler: async () => void seen.push((await listSessions(gateway)).length),
  });
  expect(await crawlWith('Playwright', [`${target.https}/1`], options)).toEqual({ finished: 0, failed: 1 });
  expect(seen).toEqual([1]);
  await vi.waitFor(async () => expect(await listSessions(gateway)).toEqual([]));
});
