// The spacing of parallel requests of one session as the target sees it, through Crawlee's HTTP client over https.

import { gotScraping } from 'got-scraping';
import { expect, test } from 'vitest';

import { configure, localUpstreams, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

test('five parallel https requests of one session start at 0, d, 2d, 3d, 4d', async () => {
  const delayMs = 400;
  const gateway = await openGateway({ upstreams: localUpstreams(1), delays: { default: `${delayMs}ms` } });
  const target = await openTarget();
  const proxyUrl = await configure(gateway.proxyUrl).newUrl('a');
  const sessionToken = {};
  await Promise.all(
    Array.from({ length: 5 }, (_, index) =>
      gotScraping({ url: `${target.https}/${index}`, proxyUrl, sessionToken, https: { rejectUnauthorized: false } }),
    ),
  );
  const startsMs = target.visits.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
  const gapsMs = startsMs.slice(1).map((startMs, index) => startMs - (startsMs[index] ?? 0));
  expect(gapsMs).toHaveLength(4);
  for (const gapMs of gapsMs) {
    expect(gapMs).toBeGreaterThan(delayMs - 100);
    expect(gapMs).toBeLessThan(delayMs + 250);
  }
});
