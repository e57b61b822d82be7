// What clients that can't run here put on the wire: their CONNECT, the fields of their requests, their call of
// /sessions. Names, order and case of the fields are those of their source code. Knows nothing of what comes back.

import { proxyAuth } from '../support/raw-client.js';

/** A client, as bytes. */
export interface ReplayedClient {
  readonly name: string;
  /** All bytes of its CONNECT. */
  readonly connect: (authority: string) => string;
  /** Fields of a request, in a tunnel or not, without those that authorize it outside of one. */
  readonly fields: (host: string, session: string) => string;
  /** All bytes of its `POST /sessions`; undefined: it asks for a session in its first request. */
  readonly post?: (host: string) => string;
}

const API_AUTH = proxyAuth().replace('Proxy-', '');

/** Field lines, each with its end. */
function lines(...fields: readonly string[]): string {
  return fields.map((field) => `${field}\r\n`).join('');
}

/** Go, over httransform: a CONNECT without Host, and the proxy's credentials again inside the tunnel. */
const HEADLESS_PROXY: ReplayedClient = {
  name: 'zyte-smartproxy-headless-proxy',
  connect: (authority) => `CONNECT ${authority} HTTP/1.1\r\n${proxyAuth()}\r\n`,
  fields: (host, session) =>
    lines(
      `Host: ${host}`,
      'User-Agent: Mozilla/5.0 (X11; Linux x86_64)',
      'Accept: */*',
      'X-Crawlera-Client: zyte-smartproxy-headless-proxy/1',
      'x-crawlera-profile: pass',
      'x-crawlera-cookies: disable',
      `X-Crawlera-Session: ${session}`,
    ) + proxyAuth().replace('Proxy-Authorization', 'proxy-authorization'),
};

/** What Chromium sends once it has been challenged. */
function chromiumConnect(authority: string): string {
  const fields = [`Host: ${authority}`, 'Proxy-Connection: keep-alive', 'User-Agent: Mozilla/5.0 HeadlessChrome/156.0'];
  return `CONNECT ${authority} HTTP/1.1\r\n${lines(...fields)}${proxyAuth()}\r\n`;
}

/** The clients that drive Chromium over its debugging protocol differ in the name they give themselves. */
function chromiumClient(name: string): ReplayedClient {
  return {
    name,
    connect: chromiumConnect,
    fields: (host, session) =>
      lines(
        `Host: ${host}`,
        'Connection: keep-alive',
        'Accept: text/html,application/xhtml+xml',
        'Upgrade-Insecure-Requests: 1',
        'User-Agent: Mozilla/5.0 HeadlessChrome/156.0',
        `X-Crawlera-Session: ${session}`,
        `X-Crawlera-Client: ${name}`,
        'X-Crawlera-No-Bancheck: 1',
        'X-Crawlera-Profile: pass',
        'X-Crawlera-Cookies: disable',
        'Accept-Encoding: gzip, deflate, br',
      ),
    // node-fetch 2, under cross-fetch.
    post: (host) =>
      `POST /sessions HTTP/1.1\r\n${API_AUTH}${lines(
        `X-Crawlera-Client: ${name}`,
        'Accept: */*',
        'Content-Length: 0',
        'User-Agent: node-fetch/1.0 (+https://github.com/bitinn/node-fetch)',
        'Accept-Encoding: gzip,deflate',
        `Host: ${host}`,
        'Connection: keep-alive',
      )}\r\n`,
  };
}

/** selenium-wire passes the browser's CONNECT on; the session comes from python-requests. */
const SELENIUM: ReplayedClient = {
  name: 'zyte-smartproxy-selenium/1.0',
  connect: chromiumConnect,
  fields: (host, session) =>
    lines(
      `Host: ${host}`,
      'Connection: keep-alive',
      'User-Agent: Mozilla/5.0',
      'X-Crawlera-Profile: pass',
      'X-Crawlera-Cookies: disable',
      'X-Crawlera-No-Bancheck: 1',
      `X-Crawlera-Session: ${session}`,
      'X-Crawlera-Client: zyte-smartproxy-selenium/1.0',
    ),
  post: (host) =>
    `POST /sessions HTTP/1.1\r\n${lines(
      `Host: ${host}`,
      'User-Agent: python-requests/2.28.1',
      'Accept-Encoding: gzip, deflate',
      'Accept: */*',
      'Connection: keep-alive',
      'X-Crawlera-Client: zyte-smartproxy-selenium/1.0',
      'Content-Length: 0',
    )}${API_AUTH}\r\n`,
};

function scrapyConnect(authority: string): string {
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${proxyAuth()}\r\n`;
}

/** crawlera-session for Scrapy. */
const CRAWLERA_SESSION: ReplayedClient = {
  name: 'crawlera-session',
  connect: scrapyConnect,
  fields: (host, session) =>
    lines(
      `X-Crawlera-Session: ${session}`,
      'X-Crawlera-Cookies: disable',
      'X-Crawlera-Wait: 5',
      'User-Agent: Scrapy/2.8.0 (+https://scrapy.org)',
      'Accept-Encoding: gzip, deflate',
      `Host: ${host}`,
    ),
};

/** The vendor's script for Splash, which is Qt. */
const SPLASH: ReplayedClient = {
  name: 'crawlera.lua',
  connect: (authority) =>
    `CONNECT ${authority} HTTP/1.1\r\n${proxyAuth()}${lines(
      'User-Agent: Mozilla/5.0',
      'Proxy-Connection: keep-alive',
      `Host: ${authority}`,
    )}\r\n`,
  fields: (host, session) =>
    lines(
      'X-Crawlera-Profile: desktop',
      'X-Crawlera-Cookies: disable',
      `X-Crawlera-Session: ${session}`,
      'User-Agent: Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/602.1 splash Safari/602.1',
      'Proxy-Connection: Keep-Alive',
      'Accept-Encoding: gzip, deflate',
      `Host: ${host}`,
    ),
};

/** The clients that use sessions. */
export const SESSION_CLIENTS: readonly ReplayedClient[] = [
  HEADLESS_PROXY,
  chromiumClient('zyte-smartproxy-playwright/1.0.20'),
  chromiumClient('zyte-smartproxy-puppeteer-extra/1.0.8'),
  SELENIUM,
  CRAWLERA_SESSION,
  SPLASH,
];

/** scrapy-zyte-smartproxy, which has no sessions of its own; an empty session is none. */
export const SCRAPY_MIDDLEWARE: ReplayedClient = {
  name: 'scrapy-zyte-smartproxy/2.4.1',
  connect: scrapyConnect,
  fields: (host, session) =>
    lines(
      ...(session === '' ? [] : [`X-Crawlera-Session: ${session}`]),
      'X-Crawlera-Client: scrapy-zyte-smartproxy/2.4.1',
      'X-Crawlera-Jobid: 1/2/3',
      'User-Agent: Scrapy/2.8.0 (+https://scrapy.org)',
      'Accept-Encoding: gzip, deflate',
      `Host: ${host}`,
    ),
};

/** The CONNECT of Scrapoxy, which holds the session: what follows in the tunnel names none. */
export function scrapoxyConnect(authority: string, session: string, region?: string): string {
  const fields = lines(
    `Host: ${authority}`,
    `X-Crawlera-Session: ${session}`,
    ...(region === undefined ? [] : [`X-Crawlera-Region: ${region}`]),
    'Connection: keep-alive',
  );
  return `CONNECT ${authority} HTTP/1.1\r\n${proxyAuth()}${fields}\r\n`;
}
