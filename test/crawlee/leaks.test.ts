// What Crawlee sends past every proxy is refused or told of, and what is advised instead leaves by the gateway.

import { Log } from '@crawlee/core';
import { Configuration, JSDOMCrawler, NonRetryableError, RobotsTxtFile } from 'crawlee';
import { expect, onTestFinished, test, vi } from 'vitest';

import { configure, createCrawler, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

function catchWarnings(): readonly string[] {
  const warnings: string[] = [];
  const warn = vi.spyOn(Log.prototype, 'warning').mockImplementation((text) => void warnings.push(text));
  onTestFinished(() => warn.mockRestore());
  return warnings;
}

for (const preset of ['httpCrawlerOptions', 'browserCrawlerOptions', 'basicCrawlerOptions'] as const) {
  test(`${preset}() refuses respectRobotsTxtFile, by which robots.txt would be fetched past the gateway`, () => {
    const configuration = configure('http://some-key-0000:@127.0.0.1:9');
    for (const respectRobotsTxtFile of [true, { userAgent: 'bot' }]) {
      expect(() => configuration[preset]({ respectRobotsTxtFile })).toThrow(`${preset}() does not go with`);
    }
    expect(configuration[preset]({ respectRobotsTxtFile: false })).toHaveProperty('sessionPoolOptions');
  });
}

test('robots.txt asked for as the refusal says leaves by the gateway, and is heeded', async () => {
  const gateway = await openGateway();
  const target = await openTarget((path, response) => {
    if (path !== '/robots.txt') return false;
    response.end('User-agent: *\nDisallow: /private\n');
    return true;
  });
  const proxyConfiguration = configure(gateway.proxyUrl);
  const failed: string[] = [];
  const crawler = createCrawler(
    proxyConfiguration.httpCrawlerOptions({
      maxRequestRetries: 3,
      preNavigationHooks: [
        async ({ request }) => {
          const robots = await RobotsTxtFile.find(request.url, await proxyConfiguration.newUrl());
          if (!robots.isAllowed(request.url)) throw new NonRetryableError('robots.txt');
        },
      ],
      requestHandler() {},
      failedRequestHandler: ({ request }) => void failed.push(request.url),
    }),
  );
  await crawler.run([`${target.http}/public`, `${target.http}/private`]);
  expect(failed).toEqual([`${target.http}/private`]);
  expect(target.visits.map(({ path }) => path).toSorted()).toEqual(['/public', '/robots.txt', '/robots.txt']);
  expect(target.visits.filter(({ fromIp }) => fromIp === '127.0.0.1')).toEqual([]);
});

test('a JSDOMCrawler is told once what its pages load past the gateway', async () => {
  const gateway = await openGateway();
  const target = await openTarget((path, response) => {
    if (path.endsWith('.css')) response.setHeader('content-type', 'text/css').end('p {}');
    else response.setHeader('content-type', 'text/html').end(`<link rel="stylesheet" href="/style.css"><p>`);
    return true;
  });
  const warnings = catchWarnings();
  const crawler = new JSDOMCrawler(
    configure(gateway.proxyUrl).httpCrawlerOptions({
      maxRequestRetries: 0,
      requestHandler: ({ window }) => new Promise<void>((resolve) => window.addEventListener('load', () => resolve())),
    }),
    new Configuration({ persistStorage: false }),
  );
  await crawler.run([`${target.http}/1`, `${target.http}/2`, `${target.http}/3`]);
  expect(warnings.filter((text) => text.startsWith('JSDOMCrawler loads style sheets'))).toHaveLength(1);
  // Where this fails Crawlee has learnt better, and the warning can go.
  const direct = target.visits.filter(({ fromIp }) => fromIp === '127.0.0.1').map(({ path }) => path);
  expect(new Set(direct)).toEqual(new Set(['/style.css']));
});

test('other crawlers are told nothing', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const warnings = catchWarnings();
  const crawler = createCrawler(configure(gateway.proxyUrl).httpCrawlerOptions({ requestHandler() {} }));
  await crawler.run([`${target.http}/1`]);
  expect(warnings).toEqual([]);
});
