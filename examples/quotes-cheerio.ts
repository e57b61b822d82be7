// Crawls a quotes site with a CheerioCrawler, all pages inside one gateway session, and prints what it found.
//
//   npm run example:quotes                            the quotes site beside this file, a gateway in this process
//   npm run example:quotes -- --transport headers     the session in a header instead of the proxy's password
//   npm run example:quotes -- --url http://quotes.toscrape.com/ --proxy-url http://KEY:@127.0.0.1:8011
import { SessionProxyConfiguration } from 'crawlee-session-proxy';
import { CheerioCrawler } from 'crawlee';
import { chooseUpstreams, readArguments, reportFailure } from './quotes-arguments.js';
import { createQuotesSite } from './quotes-site/quotes-site.js';

const given = readArguments(['url', 'proxy-url', 'transport']);
const { proxyUrl, transport } = given;
const site = given.url === undefined ? await createQuotesSite() : undefined;
const proxyConfiguration =
  proxyUrl === undefined
    ? await SessionProxyConfiguration.launch({
        upstreams: chooseUpstreams(given),
        delays: { default: '1s' },
        targets: { allowPrivate: true },
        transport,
      })
    : new SessionProxyConfiguration({ proxyUrl, transport });

const pages: {
  page: string;
  quotes: number;
  session: string;
  'outgoing IP': string;
  'wait before the page': string;
}[] = [];
let askedAtMs = 0;

const crawler = new CheerioCrawler(
  proxyConfiguration.httpCrawlerOptions({
    // A pool of one is how all pages stay in one session.
    sessionPoolOptions: { maxPoolSize: 1 },
    preNavigationHooks: [() => void (askedAtMs = performance.now())],
    async requestHandler({ $, request, session, pushData, enqueueLinks }) {
      const waitMs = performance.now() - askedAtMs;
      const quotes = $('div.quote')
        .toArray()
        .map((quote) => ({
          text: $(quote).find('span.text').text(),
          author: $(quote).find('small.author').text(),
          tags: $(quote)
            .find('div.tags > a.tag')
            .toArray()
            .map((tag) => $(tag).text()),
        }));
      await pushData(quotes);
      const bound = session && proxyConfiguration.proxySession(session);
      const { pathname } = new URL(request.loadedUrl ?? request.url);
      pages.push({
        page: pathname,
        quotes: quotes.length,
        session: bound?.id ?? 'none',
        'outgoing IP': bound?.outgoingIp ?? 'unknown',
        'wait before the page': `${(waitMs / 1000).toFixed(1)} s`,
      });
      console.log(`${pathname}: ${quotes.length} quotes, the first by ${quotes[0]?.author}`);
      await enqueueLinks({ selector: 'li.next > a' });
    },
  }),
);

try {
  const { requestsFailed } = await crawler.run([given.url ?? site?.url ?? '']);
  console.table(pages);
  const count = (name: 'session' | 'outgoing IP') => new Set(pages.map((page) => page[name])).size;
  const quoteCount = pages.reduce((sum, { quotes }) => sum + quotes, 0);
  const told = [
    [quoteCount, 'quote'],
    [pages.length, 'page'],
    [count('session'), 'session'],
    [count('outgoing IP'), 'outgoing IP'],
  ] as const;
  console.log(told.map(([number, thing]) => `${number} ${thing}${number === 1 ? '' : 's'}`).join(', '));
  if (requestsFailed > 0 || pages.length === 0) process.exitCode = 1;
} catch (error) {
  // A wrong API key or a gateway that does not answer ends the run; the message says which.
  reportFailure(error);
} finally {
  await proxyConfiguration.close();
  await site?.close();
}
