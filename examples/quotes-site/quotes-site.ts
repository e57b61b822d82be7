// A small quotes site to crawl: ten linked pages of ten quotes, in the HTML of the practice site quotes.toscrape.com, and
// its login form (`reader`, `letters`).
// Decides what each page says and remembers who asked for it; knows nothing of proxies, sessions or crawlers.
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { isIPv6 } from 'node:net';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { createLogin } from './quotes-login.js';

const QUOTES_PER_PAGE = 10;

/** Only the 10,000 most recent visits are kept, so that a site left running does not grow without end. */
const MAX_VISITS = 10_000;

/** Where and how the site listens. */
export interface QuotesSiteOptions {
  /** Address or name to listen on; also the host in `url`. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** TCP port to listen on; 0 lets the system pick a free one. @default 0 */
  readonly port?: number | undefined;
  /** Private key and certificate, both PEM; with them the site speaks https only. @default undefined, plain http */
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
}

/** One request the site received, pages that do not exist included. */
export interface Visit {
  /** The request target as sent, query included. */
  readonly path: string;
  /** Address the connection came from; an IPv4 address in its dotted form even on a dual-stack socket. */
  readonly fromIp: string;
  /** Header names and values in turn, as sent: case, order and repeats kept. */
  readonly headers: readonly string[];
  /** When the request arrived, in epoch milliseconds with a fraction; never runs backwards. */
  readonly atMs: number;
}

/** A running site; whoever created it closes it. */
export interface QuotesSite {
  /** Address of page 1, ending in `/`. */
  readonly url: string;
  /** Requests in order of arrival, oldest first; a live view of the 10,000 most recent. */
  readonly visits: readonly Visit[];
  /** Stops listening and drops open connections; safe to call twice. */
  close(): Promise<void>;
}

interface Quote {
  readonly text: string;
  readonly author: string;
  readonly tags: readonly string[];
}

/**
 * Starts the quotes site and resolves once it listens.
 *
 * @throws the listen error, such as `EADDRINUSE`, or the TLS error of an unusable key or certificate
 */
export async function createQuotesSite(options: QuotesSiteOptions = {}): Promise<QuotesSite> {
  const { host = '127.0.0.1', port = 0, tls } = options;
  const visits: Visit[] = [];
  const listener = createListener(renderPages(readQuotes()), visits);
  const server = tls === undefined ? createHttpServer(listener) : createHttpsServer({ ...tls }, listener);
  await listen(server, host, port);
  const scheme = tls === undefined ? 'http' : 'https';
  const url = `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${readPort(server)}/`;
  return { url, visits, close: () => closeServer(server) };
}

function createListener(pages: ReadonlyMap<string, string>, visits: Visit[]): RequestListener {
  const login = createLogin();
  return (request, response) => {
    const path = request.url ?? '/';
    const fromIp = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    visits.push({ path, fromIp, headers: request.rawHeaders, atMs: performance.timeOrigin + performance.now() });
    if (visits.length > MAX_VISITS) visits.shift();

    if (login.serve(request, response, fromIp)) return;
    const page = pages.get(path.replace(/\?.*$/, ''));
    const body = Buffer.from((page ?? renderMissing(path)).replace('<!-- login -->', login.linkFor(request, fromIp)));
    const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': body.length };
    response.writeHead(page === undefined ? 404 : 200, headers).end(body);
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function readPort(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The quotes site listens on no TCP port');
  return address.port;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The only error close() reports is "not running", which is what the caller asked for.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function readQuotes(): readonly Quote[] {
  const quotes: readonly Quote[] = JSON.parse(readFileSync(new URL('./quotes.json', import.meta.url), 'utf8'));
  return quotes;
}

/** Every page there is, by path, rendered once: the quotes do not change while the site runs. */
function renderPages(quotes: readonly Quote[]): ReadonlyMap<string, string> {
  const pages = new Map<string, string>();
  const pageCount = Math.ceil(quotes.length / QUOTES_PER_PAGE);
  for (let number = 1; number <= pageCount; number += 1) {
    const quotesOfPage = quotes.slice((number - 1) * QUOTES_PER_PAGE, number * QUOTES_PER_PAGE);
    const html = renderDocument(`${quotesOfPage.map(renderQuote).join('\n')}\n${renderPager(number, pageCount)}`);
    pages.set(`/page/${number}/`, html);
    if (number === 1) pages.set('/', html);
  }
  return pages;
}

function renderQuote({ text, author, tags }: Quote): string {
  const tagLinks = tags.map((tag) => `<a class="tag" href="/tag/${encodeURIComponent(tag)}/">${escapeHtml(tag)}</a>`);
  return `<div class="quote">
  <span class="text">“${escapeHtml(text)}”</span>
  <span>by <small class="author">${escapeHtml(author)}</small></span>
  <div class="tags">Tags: ${tagLinks.join(' ')}</div>
</div>`;
}

function renderPager(number: number, pageCount: number): string {
  const previous = `<li class="previous"><a href="/page/${number - 1}/">← Previous</a></li>`;
  const next = `<li class="next"><a href="/page/${number + 1}/">Next →</a></li>`;
  return `<ul class="pager">${number > 1 ? previous : ''}${number < pageCount ? next : ''}</ul>`;
}

function renderMissing(path: string): string {
  return renderDocument(`<p>There is no page at ${escapeHtml(path)}.</p>`);
}

function renderDocument(body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quotes to crawl</title>
<style>
  body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem; font: 1.05rem/1.5 Georgia, serif; color: #222; }
  h1 a { color: inherit; text-decoration: none; }
  a { color: #1a5fb4; }
  .quote { margin: 1rem 0; padding: 0.8rem 1rem; border: 1px solid #ddd; border-radius: 4px; }
  .text { display: block; font-style: italic; }
  .author { font-size: 1em; font-weight: bold; }
  .tags { font: 0.8rem sans-serif; color: #666; }
  .pager { display: flex; padding: 0; list-style: none; }
  .pager .next { margin-left: auto; }
</style>
</head>
<body>
<h1><a href="/">Quotes to crawl</a></h1>
<p><!-- login --></p>
${body}
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const site = await createQuotesSite();
  console.log(`Quotes site at ${site.url} (Ctrl+C stops it)`);
  process.once('SIGINT', () => void site.close());
}
