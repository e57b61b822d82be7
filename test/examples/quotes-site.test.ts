// Visits the example quotes site as a spider would, reading its HTML with patterns as narrow as a spider's selectors.
// Knows the site's pages and its record of visits; knows nothing of the gateway that usually stands in front of it.
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { createQuotesSite, type QuotesSite, type Visit } from '../../examples/quotes-site/quotes-site.js';

interface Page {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly html: string;
}

const QUOTE = new RegExp(
  [
    '<div class="quote">',
    '<span class="text">“([^<>"\'“”]+)”</span>',
    '<span>by <small class="author">([^<>"\']+)</small></span>',
    '<div class="tags">Tags: ((?:<a class="tag" href="/tag/[a-z]+/">[a-z]+</a> ?)+)</div>',
    '</div>',
  ].join('\\s*'),
  'g',
);

async function openSite(): Promise<QuotesSite> {
  const site = await createQuotesSite();
  onTestFinished(() => site.close());
  return site;
}

function fetchPage(url: string, options: { localAddress?: string; headers?: string[] } = {}): Promise<Page> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, ...options }, (response) => {
      const { statusCode: status = 0, headers } = response;
      readText(response).then((html) => resolve({ status, headers, html }), reject);
    });
    request.once('error', reject);
  });
}

function decodeHtml(html: string): string {
  const named: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' };
  return html.replaceAll(/&([a-z]+|#39);/g, (entity, name: string) => named[name] ?? entity);
}

function readQuotes(html: string) {
  return Array.from(html.matchAll(QUOTE), ([, text = '', author = '', tags = '']) => ({
    text: decodeHtml(text),
    author: decodeHtml(author),
    tags: Array.from(tags.matchAll(/>([a-z]+)</g), ([, tag]) => tag),
  }));
}

function readLink(html: string, name: 'previous' | 'next'): string | undefined {
  return new RegExp(`<li class="${name}"><a href="([^"]+)">`).exec(html)?.[1];
}

function listSenders(visits: readonly Visit[]): readonly string[] {
  return visits.map(({ path, fromIp }) => `${path} from ${fromIp}`);
}

/** Follows the next links from page 1; stops at 20 pages so that a circle of links fails instead of hanging. */
async function crawl(site: QuotesSite): Promise<readonly string[]> {
  const pages: string[] = [];
  for (let path: string | undefined = '/'; path !== undefined && pages.length < 20;) {
    // oxlint-disable-next-line no-await-in-loop -- each page names the one after it
    const { html } = await fetchPage(new URL(path, site.url).href);
    pages.push(html);
    path = readLink(html, 'next');
  }
  return pages;
}

test('ten pages hold a hundred different quotes, ten each, as quotes.json has them', async () => {
  const pages = await crawl(await openSite());
  const quotes = pages.flatMap(readQuotes);
  const json = readFileSync(new URL('../../examples/quotes-site/quotes.json', import.meta.url), 'utf8');

  expect(pages.map((html) => readQuotes(html).length)).toEqual(Array.from({ length: 10 }, () => 10));
  expect(new Set(quotes.map(({ text }) => text)).size).toBe(100);
  expect(new Set(quotes.map(({ author }) => author)).size).toBeGreaterThanOrEqual(25);
  expect(quotes.every(({ tags }) => tags.length >= 1 && tags.length <= 4)).toBe(true);
  expect(quotes).toEqual(JSON.parse(json));
});

test('links lead from page 1 to page 10 and back, and end at both', async () => {
  const site = await openSite();
  const pages = await crawl(site);
  const numbers = Array.from({ length: 10 }, (_, index) => index + 1);

  expect(site.visits.map(({ path }) => path)).toEqual(['/', ...numbers.slice(1).map((number) => `/page/${number}/`)]);
  expect(pages.map((html) => readLink(html, 'previous'))).toEqual([
    undefined,
    ...numbers.slice(0, 9).map((number) => `/page/${number}/`),
  ]);
  expect(pages[0]).toContain('<li class="next"><a href="/page/2/">Next →</a></li>');
});

test('/page/1/ is page 1, with or without a query', async () => {
  const { url } = await openSite();
  const first = await fetchPage(url);

  expect(await fetchPage(`${url}page/1/`)).toMatchObject({ status: 200, html: first.html });
  expect(await fetchPage(`${url}page/1/?from=test`)).toMatchObject({ status: 200, html: first.html });
});

test('a page is UTF-8 HTML of a stated length in bytes', async () => {
  const { status, headers, html } = await fetchPage((await openSite()).url);

  expect(status).toBe(200);
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  expect(headers['content-length']).toBe(String(Buffer.byteLength(html)));
  expect(Buffer.byteLength(html)).toBeGreaterThan(html.length);
});

for (const path of ['page/0/', 'page/11/', 'page/01/', 'page/1', 'tag/life/', 'favicon.ico']) {
  test(`/${path} is a 404 HTML page without quotes`, async () => {
    const { status, headers, html } = await fetchPage(`${(await openSite()).url}${path}`);

    expect(status).toBe(404);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(html).toContain(`There is no page at /${path}.`);
    expect(readQuotes(html)).toEqual([]);
  });
}

test('a visit carries the address it came from, the headers as sent and the time', async () => {
  const site = await openSite();
  const sentAtMs = performance.timeOrigin + performance.now();
  await fetchPage(`${site.url}page/2/`, { localAddress: '127.0.0.2', headers: ['Host', 'quotes', 'X-ThIng', 'a b'] });
  await fetchPage(`${site.url}nowhere?a=1`, { localAddress: '127.0.0.3' });

  expect(listSenders(site.visits)).toEqual(['/page/2/ from 127.0.0.2', '/nowhere?a=1 from 127.0.0.3']);
  const [first, second] = site.visits;
  expect(first?.headers.slice(0, 4)).toEqual(['Host', 'quotes', 'X-ThIng', 'a b']);
  expect(first?.atMs).toBeGreaterThanOrEqual(sentAtMs);
  expect(second?.atMs).toBeGreaterThanOrEqual(first?.atMs ?? Infinity);
});

test('an IPv4 sender is named in dotted form when the site listens on an IPv6 socket too', async () => {
  const site = await createQuotesSite({ host: '::' });
  onTestFinished(() => site.close());
  expect(site.url).toMatch(/^http:\/\/\[::\]:\d+\/$/);
  await fetchPage(`http://127.0.0.1:${new URL(site.url).port}/`, { localAddress: '127.0.0.2' });

  expect(listSenders(site.visits)).toEqual(['/ from 127.0.0.2']);
});

test('what a page shows is escaped, a path someone else chose included', async () => {
  const site = await openSite();
  const pages = (await crawl(site)).join('\n');
  const { port } = new URL(site.url);
  const missing = await new Promise<string>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: `/<b>"&'`, agent: false }, (response) => {
      readText(response).then(resolve, reject);
    }).once('error', reject);
  });

  expect(pages).toContain('All the world&#39;s a stage');
  expect(pages).toContain('Quoth the Raven &quot;Nevermore.&quot;');
  expect(missing).toContain('There is no page at /&lt;b&gt;&quot;&amp;&#39;.');
});

test('only the 10,000 most recent visits are kept', async () => {
  const site = await openSite();
  const requests = Array.from({ length: 10_001 }, (_, number) => `HEAD /${number} HTTP/1.1\r\nHost: quotes\r\n`);
  const socket = connect(Number(new URL(site.url).port), '127.0.0.1');
  socket.write(`${requests.join('\r\n')}Connection: close\r\n\r\n`);
  await readText(socket);

  expect(site.visits).toHaveLength(10_000);
  expect(site.visits[0]?.path).toBe('/1');
  expect(site.visits.at(-1)?.path).toBe('/10000');
});

test('a taken port rejects, and closing twice is harmless', async () => {
  const site = await openSite();
  const port = Number(new URL(site.url).port);
  await expect(createQuotesSite({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });

  await site.close();
  await site.close();
  await expect(fetchPage(site.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
