// The vendor's Puppeteer client from npm, with the Puppeteer 10 it brings, on the Chromium of the system. It POSTs
// /sessions, writes the ID into every request of a page, answers the gateway's challenge on CONNECT, and forgets a
// session on `X-Crawlera-Error: bad_session_id` in exactly this case. It lives in a package of its own.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import { API_KEY, type TestTarget } from '../support/gateway.js';
import { QUIET_ARGUMENTS } from '../support/chromium.js';
import { needsProgram } from '../support/needs.js';
import { needs } from '../support/needs.js';
import {
  type ClientGateway,
  leakedHeaders,
  SCHEMES,
  startClientGateway,
  startTargetOf,
  type Scheme,
} from './setting.js';

const PACKAGE = path.join(import.meta.dirname, 'puppeteer/package.json');

/** What these tests use of Puppeteer. */
interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}
interface Page {
  goto(url: string, options: { readonly waitUntil: 'networkidle0' }): Promise<unknown>;
  evaluate(expression: string): Promise<unknown>;
}
interface VendorClient {
  launch(options: Readonly<Record<string, unknown>>): Promise<Browser>;
}

const CHROMIUM_ARGS = [
  ...QUIET_ARGUMENTS,
  // Otherwise Chromium asks loopback targets without the proxy.
  '--proxy-bypass-list=<-loopback>',
];

async function launchBrowser({ url, caFile }: ClientGateway): Promise<Browser> {
  // The package exports one object that keeps its session; each test gets one of its own.
  const shared = createRequire(PACKAGE)('zyte-smartproxy-puppeteer') as VendorClient;
  const client = new (shared.constructor as new () => VendorClient)();
  const browser = await client.launch({
    spm_apikey: API_KEY,
    spm_host: url,
    block_ads: false,
    static_bypass: false,
    executablePath: 'chromium',
    ignoreHTTPSErrors: true,
    userDataDir: path.join(path.dirname(caFile), 'chromium'),
    args: CHROMIUM_ARGS,
  });
  onTestFinished(() => browser.close());
  return browser;
}

/** A page with a script that fetches, and with an icon of its own, so that Chromium asks for none in between. */
function startSite(scheme: Scheme): Promise<TestTarget> {
  return startTargetOf(scheme, (req, res) => {
    const isScript = req.url === '/script.js';
    res.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    if (isScript) res.end('fetch("/data").then((answer) => (document.title = answer.status));');
    else res.end('<link rel="icon" href="data:,"><script src="/script.js"></script>');
  });
}

/** Has a page fetch; resolves with status and error code. */
function fetchIn(page: Page, url: string): Promise<unknown> {
  return page.evaluate(
    `fetch(${JSON.stringify(url)}).then((answer) => [answer.status, answer.headers.get('X-Crawlera-Error')])`,
  );
}

function createdSessions({ events }: ClientGateway): string[] {
  return events.flatMap((event) => (event.type === 'session.created' ? [event.sessionId] : []));
}

const install = `npm ci --prefix ${path.dirname(PACKAGE)} --ignore-scripts`;
const isInstalled = existsSync(path.join(path.dirname(PACKAGE), 'node_modules/zyte-smartproxy-puppeteer'));

needsProgram('chromium', 'chromium', () => {
  needs({ what: 'zyte-smartproxy-puppeteer', isThere: isInstalled, command: install }, () => {
    test.each(SCHEMES)(
      'a browser stays in one session over %s, and makes a new one when that is gone',
      async (scheme) => {
        const [gateway, target] = [await startClientGateway(), await startSite(scheme)];
        const page = await (await launchBrowser(gateway)).newPage();

        await page.goto(`${target.url}/page`, { waitUntil: 'networkidle0' });
        expect(await page.evaluate('document.title')).toBe('200');
        expect(target.arrivals.map(({ url }) => url)).toEqual(['/page', '/script.js', '/data']);
        expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(1);
        const [lost = '', ...others] = createdSessions(gateway);
        expect(others).toEqual([]);

        expect(await new SessionsClient(gateway.proxyUrl).delete(lost)).toBe(true);
        expect(await fetchIn(page, '/refused')).toEqual([400, 'bad_session_id']);
        expect(await fetchIn(page, '/after')).toEqual([200, null]);
        expect(createdSessions(gateway)).toHaveLength(2);
        expect(target.arrivals.slice(3).map(({ url }) => url)).toEqual(['/after']);
        expect(leakedHeaders(target)).toEqual([]);
      },
    );
  });
});
