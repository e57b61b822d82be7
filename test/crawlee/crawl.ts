// What the plugin's tests have in common: a real gateway over loopback addresses, real crawlers, nothing on disk.

import { CheerioCrawler, Configuration, log } from 'crawlee';
import type { CheerioCrawlerOptions } from 'crawlee';
import { onTestFinished } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { Gateway } from '../../src/gateway/index.js';
import type { GatewayOptions } from '../../src/gateway/index.js';
import { SessionProxyConfiguration } from '../../src/index.js';
import type { SessionProxyConfigurationOptions } from '../../src/index.js';

log.setLevel(log.LEVELS.OFF);

/** Ways out for tests: 127.0.0.2 and up. */
export function localUpstreams(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `local://127.0.0.${index + 2}`);
}

/** Starts a gateway on a free port until the test is over. */
export async function openGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = new Gateway({
    port: 0,
    upstreams: localUpstreams(2),
    targets: { allowPrivate: true },
    delays: { default: 0 },
    drainTimeout: 0,
    ...options,
  });
  await gateway.listen();
  onTestFinished(() => gateway.close());
  return gateway;
}

/** A configuration that is closed when the test is over. */
export function configure(
  proxyUrl: string,
  options: Omit<SessionProxyConfigurationOptions, 'proxyUrl'> = {},
): SessionProxyConfiguration {
  const configuration = new SessionProxyConfiguration({ ...options, proxyUrl });
  onTestFinished(() => configuration.close());
  return configuration;
}

/** The sessions that a gateway has. */
export async function listSessions({ proxyUrl }: { readonly proxyUrl: string }): Promise<readonly string[]> {
  return Object.keys(await new SessionsClient(proxyUrl).listPlain());
}

/** The gateway's address with a key it does not know. */
export function withWrongKey(proxyUrl: string): string {
  return proxyUrl.replace(/\/\/[^:]+:/, '//wrong-key-0000:');
}

/** A crawler that keeps everything in memory. */
export function createCrawler(options: CheerioCrawlerOptions): CheerioCrawler {
  return new CheerioCrawler(
    { maxRequestRetries: 0, ...options },
    new Configuration({ persistStorage: false, purgeOnStart: true }),
  );
}

/** URLs that differ, over http and https in turn. */
export function mixedUrls(target: { readonly http: string; readonly https: string }, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index % 2 === 0 ? target.http : target.https}/${index}`);
}
