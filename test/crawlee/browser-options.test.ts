// What the preset for browser crawlers puts into options, and which it refuses. No browser is started here.

import { PlaywrightCrawler, PuppeteerCrawler } from 'crawlee';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { describe, expect, test } from 'vitest';

import type { SessionProxyConfiguration } from '../../src/index.js';
import { configure } from './crawl.js';

const proxyUrl = 'http://some-key-0000:@127.0.0.1:1';

const ISOLATIONS = { page: { useIncognitoPages: true }, browser: { browserPerProxy: true } };

type PresetOptions = Parameters<SessionProxyConfiguration['browserCrawlerOptions']>[1];

function merge<O extends object>(options: O, plugin?: PresetOptions): O & Record<string, unknown> {
  return configure(proxyUrl).browserCrawlerOptions(options, plugin) as O & Record<string, unknown>;
}

test('a context for each page is the default, and a browser for each session is asked for', () => {
  expect(merge({})['launchContext']).toEqual({ useIncognitoPages: true });
  expect(merge({}, { isolation: 'page' })['launchContext']).toEqual({ useIncognitoPages: true });
  expect(merge({}, { isolation: 'browser' })['launchContext']).toEqual({ browserPerProxy: true });
});

test('the options of a user stay as they are, beside those of the preset', () => {
  const options = {
    launchContext: { launcher: chromium, launchOptions: { args: ['--mute-audio'] } },
    browserPoolOptions: { maxOpenPagesPerBrowser: 3, useFingerprints: false },
    sessionPoolOptions: { maxPoolSize: 7 },
    navigationTimeoutSecs: 5,
    persistCookiesPerSession: false,
    maxConcurrency: 2,
  };
  const given = structuredClone({ ...options, launchContext: { launchOptions: options.launchContext.launchOptions } });
  const merged = merge(options);
  expect(merged).toMatchObject(given);
  expect(merged.launchContext.launcher).toBe(chromium);
  // Not the user's own objects, which may serve another crawler.
  expect(options.launchContext).not.toHaveProperty('useIncognitoPages');
  expect(options.browserPoolOptions).not.toHaveProperty('preLaunchHooks');
});

test("the hooks of a user follow the preset's, none is lost", () => {
  const names = ['preLaunchHooks', 'postLaunchHooks', 'prePageCreateHooks', 'prePageCloseHooks'] as const;
  const others = { postPageCreateHooks: [() => undefined], postPageCloseHooks: [() => undefined] };
  const own = Object.fromEntries(names.map((name) => [name, [() => name, () => undefined]]));
  const navigationHooks = [() => undefined];
  const merged = merge({
    browserPoolOptions: { ...own, ...others },
    preNavigationHooks: navigationHooks,
    postNavigationHooks: navigationHooks,
  });
  const pool: Record<string, readonly unknown[]> = merged.browserPoolOptions;
  for (const name of names) {
    expect(pool[name]).toHaveLength(3);
    expect(pool[name]?.slice(1)).toEqual(own[name]);
  }
  expect(pool).toMatchObject(others);
  expect(merged.preNavigationHooks.at(-1)).toBe(navigationHooks[0]);
  expect(merged.preNavigationHooks.length).toBeGreaterThan(1);
  expect(merged.postNavigationHooks.at(-1)).toBe(navigationHooks[0]);
  expect(merged.postNavigationHooks.length).toBeGreaterThan(1);
});

test('both crawlers take what the preset makes', () => {
  for (const isolation of ['page', 'browser'] as const) {
    const crawlers = [
      new PlaywrightCrawler(merge({ launchContext: { launcher: chromium } }, { isolation })),
      new PuppeteerCrawler(merge({ launchContext: { launcher: puppeteer } }, { isolation })),
    ];
    for (const { launchContext } of crawlers) expect(launchContext).toMatchObject(ISOLATIONS[isolation]);
  }
});

describe('options that contradict the preset are refused with what to write instead', () => {
  test.each([
    ['page', { launchContext: { useIncognitoPages: false } }, "write { isolation: 'browser' }"],
    ['browser', { launchContext: { useIncognitoPages: true } }, "useIncognitoPages: true is isolation 'page'"],
    ['browser', { launchContext: { browserPerProxy: false } }, "write { isolation: 'page' }"],
    ['page', { launchContext: { experimentalContainers: true } }, 'experimentalContainers'],
    ['page', { launchContext: { launchOptions: { proxy: { server: 'http://127.0.0.1:1' } } } }, 'launchOptions.proxy'],
    [
      'page',
      { launchContext: { launchOptions: { args: ['--proxy-bypass-list=*'] } } },
      'argument --proxy-bypass-list ',
    ],
    ['page', { launchContext: { launchOptions: { args: ['--no-proxy-server'] } } }, 'argument --no-proxy-server '],
    ['page', { useSessionPool: false }, 'leave useSessionPool: false out'],
  ] as const)("isolation '%s' and %j", (isolation, options, told) => {
    expect(() => merge(options, { isolation })).toThrow(TypeError);
    expect(() => merge(options, { isolation })).toThrow(told);
  });

  test('an isolation that there is not', () => {
    // @ts-expect-error it takes two words
    expect(() => merge({}, { isolation: 'tab' })).toThrow(`isolation takes 'page' or 'browser'; it is "tab"`);
  });
});
