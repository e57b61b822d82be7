// The pool for Crawlee 4, used as its crawlers use a pool: against a real gateway, without Crawlee 4 itself.

import { request } from 'node:http';

import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { ProxySessionPool } from '../../src/crawlee4/index.js';
import type { PooledSession, ProxySessionPoolOptions } from '../../src/crawlee4/index.js';
import { listSessions, localUpstreams, openGateway, withWrongKey } from '../crawlee/crawl.js';
import { openTarget } from '../crawlee/crawl-target.js';

async function openPool(options: ProxySessionPoolOptions): Promise<ProxySessionPool> {
  const pool = await ProxySessionPool.open(options);
  onTestFinished(() => pool.close());
  return pool;
}

async function take(pool: ProxySessionPool): Promise<PooledSession> {
  return (await pool.getSession()) ?? expect.unreachable();
}

/** Loads a page by a session's proxy, as an HTTP client does. @returns the status */
function load({ proxyInfo }: PooledSession, url: string): Promise<number | undefined> {
  const { hostname, port, username, password } = proxyInfo;
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  return new Promise((resolve, reject) => {
    request({ hostname, port, path: url, headers: { host: new URL(url).host, 'proxy-authorization': `Basic ${auth}` } })
      .on('response', (response) => response.resume().on('end', () => resolve(response.statusCode)))
      .on('error', reject)
      .end();
  });
}

test('60 requests at once: as many sessions as outgoing IPs, each with its own, in turn', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(3) });
  const target = await openTarget();
  const pool = await openPool({ proxyUrl: gateway.proxyUrl });
  const sessions = await Promise.all(Array.from({ length: 60 }, () => take(pool)));
  const idOfPath = new Map(sessions.map(({ id }, index) => [`/${index}`, id]));
  await Promise.all(sessions.map((session, index) => load(session, `${target.http}/${index}`)));
  const pairs = new Set(target.visits.map(({ path, fromIp }) => `${idOfPath.get(path)} ${fromIp}`));
  expect(target.visits).toHaveLength(60);
  expect(pairs.size).toBe(3);
  expect(new Set(sessions.slice(0, 3)).size).toBe(3);
  expect(await listSessions(gateway)).toHaveLength(3);
});

test('a session is found by its id until it is retired, and its gateway session ends with it', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const pool = await openPool({ proxyUrl: gateway.proxyUrl, maxPoolSize: 1 });
  const session = await take(pool);
  expect(await pool.getSession(session.id)).toBe(session);
  session.retire();
  session.retire();
  expect([session.isUsable(), session.isBlocked()]).toEqual([false, true]);
  session.markGood();
  expect(session.isUsable()).toBe(false);
  expect(await pool.getSession(session.id)).toBeUndefined();
  const next = await take(pool);
  expect(next.id).not.toBe(session.id);
  await expect.poll(() => listSessions(gateway)).toHaveLength(1);
  // What is still sent in the old one is refused; it does not leave by another outgoing IP.
  expect(await load(session, `${target.http}/late`)).toBe(400);
  expect(target.visits).toEqual([]);
});

for (const [name, limits, wearOut] of [
  ['used often enough', { maxUsageCount: 2 }, (session: PooledSession) => [session.markGood(), session.markGood()]],
  ['failed too often', { maxErrorScore: 2 }, (session: PooledSession) => [session.markBad(), session.markBad()]],
] as const) {
  test(`a session that ${name} is replaced, and ends at the gateway`, async () => {
    const gateway = await openGateway();
    const pool = await openPool({ proxyUrl: gateway.proxyUrl, maxPoolSize: 1, ...limits });
    const session = await take(pool);
    const [proxySessionId] = await listSessions(gateway);
    wearOut(session);
    expect(session.isUsable()).toBe(false);
    expect((await take(pool)).id).not.toBe(session.id);
    await expect.poll(() => listSessions(gateway)).not.toContain(proxySessionId);
  });
}

test('a request that goes well makes up for half a failed one', async () => {
  const gateway = await openGateway();
  const session = await take(await openPool({ proxyUrl: gateway.proxyUrl, maxErrorScore: 2 }));
  session.markBad();
  session.markGood();
  session.markBad();
  expect(session.isUsable()).toBe(true);
  session.markBad();
  expect(session.isUsable()).toBe(false);
});

test('a session that the gateway has lost is retired at its first failure', async () => {
  const gateway = await openGateway();
  const pool = await openPool({ proxyUrl: gateway.proxyUrl, maxPoolSize: 1 });
  const session = await take(pool);
  const [proxySessionId = ''] = await listSessions(gateway);
  session.markBad();
  await new SessionsClient(gateway.proxyUrl).delete(proxySessionId);
  expect(session.isUsable()).toBe(true);
  session.markBad();
  await expect.poll(() => session.isUsable()).toBe(false);
  expect(await take(pool)).not.toBe(session);
});

test('what writes a session down writes no API key', async () => {
  const gateway = await openGateway();
  const session = await take(await openPool({ proxyUrl: gateway.proxyUrl }));
  const key = new URL(gateway.proxyUrl).username;
  expect(session.proxyInfo.username).toBe(key);
  expect(JSON.stringify(session)).toContain(session.id);
  for (const written of [JSON.stringify(session), JSON.stringify(Object.assign({}, session))])
    expect(written).not.toContain(key);
});

test('certificates are verified unless the pool is told otherwise', async () => {
  const gateway = await openGateway();
  for (const ignoreTlsErrors of [undefined, true]) {
    const session = await take(await openPool({ proxyUrl: gateway.proxyUrl, ignoreTlsErrors }));
    expect(session.proxyInfo.ignoreTlsErrors).toBe(ignoreTlsErrors ?? false);
  }
});

test('close() ends the sessions of the pool, or keeps them, and nothing can be taken from it after', async () => {
  const gateway = await openGateway();
  const [pool, kept] = [await openPool({ proxyUrl: gateway.proxyUrl }), await openPool({ proxyUrl: gateway.proxyUrl })];
  await Promise.all([take(pool), take(pool), take(kept)]);
  await kept.close({ keepSessions: true });
  await pool.close();
  expect(await listSessions(gateway)).toHaveLength(1);
  await expect(pool.getSession()).rejects.toThrow('was closed');
});

test('a wrong key and wrong options are told in words', async () => {
  const gateway = await openGateway();
  const pool = await openPool({ proxyUrl: withWrongKey(gateway.proxyUrl) });
  await expect(pool.getSession()).rejects.toThrow('refused the API key');
  const { proxyUrl } = gateway;
  const misspelt = { proxyUrl, poolSize: 3 };
  for (const [options, told] of [
    [{ proxyUrl: 'nowhere' }, 'proxyUrl: This is not the URL of a gateway'],
    [{ proxyUrl, maxPoolSize: 0 }, 'maxPoolSize takes a number of at least 1; it is 0'],
    [misspelt, 'Unknown option poolSize'],
    [{ proxyUrl, country: 'United States' }, 'country takes two letters'],
  ] as const) {
    await expect(ProxySessionPool.open(options)).rejects.toThrow(told);
  }
});
