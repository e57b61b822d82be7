// Reads a quotes site page by page with got-scraping alone: the first request asks the gateway for a session
// (`X-Crawlera-Session: create`), each next one sends the ID that the last answer gave.
//
//   npm run example:quotes-header
//   npm run example:quotes-header -- --url http://quotes.toscrape.com/ --proxy-url http://KEY:@127.0.0.1:8011
import { Gateway } from 'crawlee-session-proxy/gateway';
import { gotScraping, RequestError } from 'got-scraping';
import { chooseUpstreams, readArguments, reportFailure } from './quotes-arguments.js';
import { createQuotesSite } from './quotes-site/quotes-site.js';

const given = readArguments(['url', 'proxy-url']);
const site = given.url === undefined ? await createQuotesSite() : undefined;
const gateway =
  given.proxyUrl === undefined
    ? new Gateway({
        port: 0,
        upstreams: chooseUpstreams(given),
        delays: { default: '1s' },
        targets: { allowPrivate: true },
      })
    : undefined;
await gateway?.listen();
const proxyUrl = given.proxyUrl ?? gateway?.proxyUrl ?? '';

const sessions = new Set<string>();
const outgoingIps = new Set<string>();
let session = 'create';
let quoteCount = 0;
let pageCount = 0;

try {
  let next: string | undefined = given.url ?? site?.url;
  while (next !== undefined) {
    const { body, headers, statusCode, url } = await gotScraping({
      url: next,
      proxyUrl,
      headers: { 'X-Crawlera-Session': session },
    });
    if (statusCode === 407) throw new Error('The gateway refused the API key; give the right one in --proxy-url');
    if (statusCode !== 200)
      throw new Error(`${next} answered ${statusCode} ${String(headers['x-crawlera-error'] ?? '')}`);
    session = String(headers['x-crawlera-session']);
    sessions.add(session);
    outgoingIps.add(String(headers['x-crawlera-slave']).replace(/:\d+$/, ''));
    const quotes = body.split('<div class="quote"').slice(1);
    const firstAuthor = /<small class="author"[^>]*>([^<]+)/.exec(quotes[0] ?? '')?.[1];
    console.log(
      `${new URL(url).pathname}: ${quotes.length} quotes, the first by ${firstAuthor}, in session ${session}`,
    );
    quoteCount += quotes.length;
    pageCount += 1;
    const link = /<li class="next">\s*<a href="([^"]+)"/.exec(body)?.[1];
    next = link === undefined ? undefined : new URL(link, url).href;
  }
  const counts = [
    [quoteCount, 'quote'],
    [pageCount, 'page'],
    [sessions.size, 'session'],
    [outgoingIps.size, 'outgoing IP'],
  ] as const;
  console.log(counts.map(([number, thing]) => `${number} ${thing}${number === 1 ? '' : 's'}`).join(', '));
} catch (error) {
  const { host } = new URL(proxyUrl);
  const told = `Nothing came through the gateway at ${host}; is it running, and is --proxy-url right?`;
  reportFailure(error instanceof RequestError ? `${told} (${error.message || error.code})` : error);
} finally {
  await gateway?.close();
  await site?.close();
}
