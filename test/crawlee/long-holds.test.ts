// Long waits at the gateway, in real time: the preset sits them out, the option `proxyConfiguration` alone warns. Both
// crawls run side by side, for each takes a minute.

import { log } from 'crawlee';
import { expect, onTestFinished, test, vi } from 'vitest';

import { configure, createCrawler, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

const URL_COUNT = 40;

async function openLab() {
  const gateway = await openGateway({ delays: { default: '3s' } });
  const target = await openTarget();
  const urls = Array.from({ length: URL_COUNT }, (_, index) => `${target.http}/${index}`);
  return { configuration: configure(gateway.proxyUrl), target, urls };
}

/** What is logged at the level of warnings until the test is over. */
function collectWarnings(): readonly string[] {
  const warnings: string[] = [];
  const spy = vi.spyOn(console, 'warn').mockImplementation((line: unknown) => void warnings.push(String(line)));
  log.setLevel(log.LEVELS.WARNING);
  onTestFinished(() => {
    spy.mockRestore();
    log.setLevel(log.LEVELS.OFF);
  });
  return warnings;
}

test('40 URLs, 2 upstreams, a delay of 3 s, at the pace Crawlee chooses', { timeout: 150_000, retry: 1 }, async () => {
  const warnings = collectWarnings();
  const [preset, dropIn] = await Promise.all([openLab(), openLab()]);
  const options = preset.configuration.httpCrawlerOptions({ maxRequestRetries: 3, requestHandler() {} });
  const [{ requestsFinished, retryHistogram }] = await Promise.all([
    createCrawler(options).run(preset.urls),
    createCrawler({ proxyConfiguration: dropIn.configuration, requestHandler() {} }).run(dropIn.urls),
  ]);
  expect({ requestsFinished, retryHistogram }).toEqual({ requestsFinished: URL_COUNT, retryHistogram: [URL_COUNT] });
  expect(preset.target.visits).toHaveLength(URL_COUNT);
  expect(warnings).toEqual([
    expect.stringMatching(
      /SessionProxy.* \d\d s until the next use: delay 3 s, 2 outgoing IPs, Crawlee gives up after 30 s; use httpCrawlerOptions\(\), more upstreams or a shorter delay/,
    ),
  ]);
});
