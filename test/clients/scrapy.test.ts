// The example spider, run by Scrapy itself over http and https. It lets Scrapy do as it does by default: certificates
// are not verified.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createQuotesSite, type QuotesSite } from '../../examples/quotes-site/quotes-site.js';
import { API_KEY } from '../support/gateway.js';
import { needsProgram } from '../support/needs.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { type Outcome, runProgram } from './run-program.js';
import { type Scheme, SCHEMES, startClientGateway } from './setting.js';

const EXAMPLES = path.resolve(import.meta.dirname, '../../examples');

async function openSite(scheme: Scheme): Promise<QuotesSite> {
  const site = await createQuotesSite({ tls: scheme === 'https' ? SELF_SIGNED : undefined });
  onTestFinished(() => site.close());
  return site;
}

/** Runs the spider; resolves also with the items it stored. */
async function crawl(proxyUrl: string, site: QuotesSite): Promise<Outcome & { readonly items: unknown }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'session-proxy-scrapy-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const items = path.join(directory, 'quotes.json');
  const spider = ['runspider', path.join(EXAMPLES, 'quotes-scrapy.py'), '-a', `proxy=${proxyUrl}`];
  // The console of a running spider would listen on a port of its own.
  const settings = ['-s', 'TELNETCONSOLE_ENABLED=0'];
  const outcome = await runProgram('scrapy', [...spider, '-a', `start_url=${site.url}`, '-O', items, ...settings]);
  // Scrapy leaves the file of an export without items empty.
  return { ...outcome, items: JSON.parse((await readFile(items, 'utf8')) || '[]') as unknown };
}

needsProgram('scrapy', 'python3-scrapy', () => {
  test.each(SCHEMES)('the spider finds the 100 quotes over %s in one session, from one address', async (scheme) => {
    const [{ proxyUrl, events }, site] = [await startClientGateway(), await openSite(scheme)];
    const { code, stderr, items } = await crawl(proxyUrl, site);

    expect(code).toBe(0);
    expect(stderr.split('\n').filter((line) => /\] (?:ERROR|CRITICAL):|Error:/.test(line))).toEqual([]);
    const plain: unknown = JSON.parse(JSON.stringify(items).replaceAll(/[“”]/g, ''));
    expect(plain).toEqual(JSON.parse(await readFile(path.join(EXAMPLES, 'quotes-site/quotes.json'), 'utf8')));

    const pages = ['/', ...Array.from({ length: 9 }, (_, index) => `/page/${index + 2}/`)];
    expect(site.visits.map(({ path: page }) => page)).toEqual(pages);
    expect(new Set(site.visits.map(({ fromIp }) => fromIp)).size).toBe(1);
    expect(site.visits[0]?.fromIp).toMatch(/^127\.0\.0\.[23]$/);
    expect(events.filter(({ type }) => type === 'session.created')).toHaveLength(1);
    const names = site.visits.flatMap(({ headers }) => headers.filter((_, index) => index % 2 === 0));
    expect(names.filter((name) => /^(?:x-crawlera-|proxy-)/i.test(name))).toEqual([]);
  });

  test('a wrong key over https ends the crawl with the status of the CONNECT', async () => {
    const [{ proxyUrl }, site] = [await startClientGateway(), await openSite('https')];
    const { stderr, items } = await crawl(proxyUrl.replace(API_KEY, 'not-the-key'), site);
    expect(items).toEqual([]);
    expect(stderr).toContain("{'status': 407, 'reason': b'Proxy Authentication Required'}");
    expect(site.visits).toEqual([]);
  });
});
