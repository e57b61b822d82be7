// Pages and sessions of real browser crawlers: fingerprints, browsers, retirement, and the warning for crawlers without
// the preset. That every request leaves by its session is in the truth table.

import { createSocket } from 'node:dgram';

import { log } from 'crawlee';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

import type { SessionProxyConfiguration } from '../../src/index.js';
import { crawlWith, LIBRARIES, sessionOf } from './browser-crawl.js';
import type { BrowserContext } from './browser-crawl.js';
import { configure, createCrawler, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

/** What a page can tell of the device that it believes to be on. */
const DEVICE = `(() => {
  const webgl = document.createElement('canvas').getContext('webgl');
  const { userAgent, hardwareConcurrency, deviceMemory } = navigator;
  return JSON.stringify([userAgent, hardwareConcurrency, deviceMemory, screen.width, screen.height,
    webgl === null ? '' : webgl.getParameter(37446)]);
})()`;

/** Asks a STUN server for this machine's addresses. @returns how many were found, once the browser has given up */
function gather(stunPort: number): string {
  return `new Promise((resolve) => {
    const connection = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:${stunPort}' }] });
    let found = 0;
    connection.onicecandidate = ({ candidate }) => {
      if (candidate === null) resolve(found);
      else if (candidate.candidate !== '') found += 1;
    };
    connection.createDataChannel('any');
    void connection.setLocalDescription();
  })`;
}

async function openSessions(count: number): Promise<SessionProxyConfiguration> {
  const gateway = await openGateway({ upstreams: localUpstreams(count) });
  return configure(gateway.proxyUrl);
}

describe.each(LIBRARIES)('%s, a context for each page', (library) => {
  test('a session keeps one fingerprint, and sessions differ in theirs', async () => {
    const target = await openTarget();
    const configuration = await openSessions(4);
    const devices = new Map<string, Set<unknown>>();
    let pages = 0;
    await crawlWith(
      library,
      mixedUrls(target, 16),
      configuration.browserCrawlerOptions({
        minConcurrency: 4,
        maxConcurrency: 4,
        sessionPoolOptions: { maxPoolSize: 4 },
        async requestHandler(context: BrowserContext) {
          const { id } = sessionOf(context);
          const seen = devices.get(id) ?? new Set();
          devices.set(id, seen.add(await context.page.evaluate(DEVICE)));
          pages += 1;
        },
      }),
    );
    expect(pages).toBe(16);
    expect([...devices.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1]);
    expect(new Set([...devices.values()].flatMap((seen) => [...seen])).size).toBeGreaterThan(1);
  });

  test('pages share a browser, which a retired session does not close, and a retired session serves its page to the end', async () => {
    const target = await openTarget();
    const configuration = await openSessions(2);
    const browsers = new Set<string>();
    const sessions: string[] = [];
    await crawlWith(
      library,
      mixedUrls(target, 4),
      configuration.browserCrawlerOptions({
        maxConcurrency: 1,
        sessionPoolOptions: { maxPoolSize: 1 },
        async requestHandler(context: BrowserContext) {
          const session = sessionOf(context);
          browsers.add(context.browserController.id);
          sessions.push(session.id);
          // Worn out, and so retired without a verdict on its outgoing IP.
          while (session.isUsable()) session.markBad();
          const { pathname } = new URL(context.request.url);
          await context.page.evaluate(`fetch('/late${pathname}').then((answer) => answer.text())`);
        },
      }),
    );
    expect(browsers.size).toBe(1);
    expect(new Set(sessions).size).toBe(4);
    for (const path of ['/0', '/1', '/2', '/3']) {
      const ips = target.visits.filter((visit) => visit.path.endsWith(path)).map(({ fromIp }) => fromIp);
      expect(ips).toHaveLength(2);
      expect(new Set(ips).size).toBe(1);
    }
  });
});

describe.each(LIBRARIES)('%s', (library) => {
  test('WebRTC sends no datagram past the proxy', async () => {
    const stun = createSocket('udp4');
    onTestFinished(() => void stun.close());
    let datagrams = 0;
    stun.on('message', () => (datagrams += 1));
    await new Promise<void>((resolve) => stun.bind(0, '127.0.0.1', resolve));
    const target = await openTarget();
    const configuration = await openSessions(1);
    const candidates: unknown[] = [];
    await crawlWith(
      library,
      [target.http],
      configuration.browserCrawlerOptions({
        async requestHandler({ page }: BrowserContext) {
          candidates.push(await page.evaluate(gather(stun.address().port)));
        },
      }),
    );
    expect(candidates).toEqual([0]);
    expect(datagrams).toBe(0);
  });
});

describe.each(LIBRARIES)('%s, a browser for each session', (library) => {
  test('each session has its own browser, and takes it along when it is retired', async () => {
    const target = await openTarget();
    const configuration = await openSessions(2);
    const browsers = new Map<string, Set<string>>();
    let retired = false;
    const { finished } = await crawlWith(
      library,
      mixedUrls(target, 8),
      configuration.browserCrawlerOptions(
        {
          maxConcurrency: 1,
          sessionPoolOptions: { maxPoolSize: 2 },
          requestHandler(context: BrowserContext) {
            const session = sessionOf(context);
            browsers.set(session.id, (browsers.get(session.id) ?? new Set()).add(context.browserController.id));
            if (!retired) session.retire();
            retired = true;
          },
        },
        { isolation: 'browser' },
      ),
    );
    expect(finished).toBe(8);
    const [first, ...others] = [...browsers.values()];
    expect(others.length).toBeGreaterThan(0);
    for (const ids of browsers.values()) expect(ids.size).toBe(1);
    for (const ids of others) expect(ids).not.toEqual(first);
    expect(configuration.mismatches).toBe(0);
  });
});

describe('a crawler with the option proxyConfiguration alone', () => {
  function listenToLog(): string[] {
    const warnings: string[] = [];
    log.setLevel(log.LEVELS.WARNING);
    const spy = vi.spyOn(console, 'warn').mockImplementation((line: unknown) => void warnings.push(String(line)));
    onTestFinished(() => {
      spy.mockRestore();
      log.setLevel(log.LEVELS.OFF);
    });
    return warnings;
  }

  test('is told once what is wrong and what to write, if it is one of browsers', async () => {
    const warnings = listenToLog();
    const target = await openTarget();
    const configuration = await openSessions(2);
    const told: number[] = [];
    await crawlWith('Playwright', mixedUrls(target, 3), {
      proxyConfiguration: configuration,
      requestHandler: ({ proxyInfo }) => {
        told.push(warnings.length);
        expect(Object.keys(proxyInfo ?? {})).not.toContain('proxyTier');
      },
    });
    // Before the first page is handled.
    expect(told).toEqual([1, 1, 1]);
    expect(warnings[0]).toContain('proxyConfiguration.browserCrawlerOptions({ … })');
    expect(warnings[0]).toContain('leave by another outgoing IP than that of their session');
  });

  test('is told nothing if it is an HTTP crawler, nor is a browser crawler with the preset', async () => {
    const warnings = listenToLog();
    const target = await openTarget();
    const configuration = await openSessions(2);
    await createCrawler({ proxyConfiguration: configuration, requestHandler: () => undefined }).run([target.http]);
    await crawlWith(
      'Playwright',
      [target.http],
      configuration.browserCrawlerOptions({ requestHandler: () => undefined }),
    );
    expect(target.visits.filter(({ path }) => path === '/')).toHaveLength(2);
    expect(warnings).toEqual([]);
  });
});
