// Logs in once, and goes on as that session: cookies and outgoing IP stay together, which the site insists on.
//
//   npm run example:login
import { SessionProxyConfiguration } from 'crawlee-session-proxy';
import { CheerioCrawler } from 'crawlee';
import { chooseUpstreams } from './quotes-arguments.js';
import { createQuotesSite } from './quotes-site/quotes-site.js';

const site = await createQuotesSite();
await using proxyConfiguration = await SessionProxyConfiguration.launch({
  upstreams: chooseUpstreams({ url: undefined, proxyUrl: undefined, transport: 'credentials' }),
  delays: { default: '200ms' },
  targets: { allowPrivate: true },
});

const crawler = new CheerioCrawler(
  proxyConfiguration.httpCrawlerOptions({
    async requestHandler({ $, request, session, sendRequest, addRequests }) {
      if (session === undefined) return;
      if (request.label === 'login') {
        const form = { csrf_token: $('[name=csrf_token]').val() as string, username: 'reader', password: 'letters' };
        // Goes in the session of this page; Crawlee leaves its cookies out of what a handler sends.
        const headers = { cookie: session.getCookieString(request.url) };
        const answer = await sendRequest({ method: 'POST', form, headers, followRedirect: false });
        session.setCookiesFromResponse(answer);
        const pages = [1, 2, 3, 4].map((page) => `${site.url}page/${page}/`);
        // Other sessions have not logged in: each page names the one that has.
        await addRequests(pages.map((url) => ({ url, userData: { sessionId: session.id } })));
        return;
      }
      const who = $('a.login').text() === 'Logout' ? 'logged in' : 'a stranger';
      console.log(
        `${request.url.replace(site.url, '/')}: ${who} at ${proxyConfiguration.proxySession(session)?.outgoingIp}`,
      );
    },
  }),
);
await crawler.run([{ url: `${site.url}login`, label: 'login' }]);
await site.close();
