// What is read of a response, whichever crawler it came of; of browsers, real ones.

import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { expect, onTestFinished, test } from 'vitest';

import { readLoadedResponse } from '../../src/crawlee/loaded-response.js';
import { needsProgram } from '../support/needs.js';
import { openTarget } from './crawl-target.js';

test.each([
  ['none', undefined],
  ['null', null],
  ['something else', { url: 'http://127.0.0.1/', statusCode: '200', headers: {} }],
  ['a page of no server', { url: 'about:blank', statusCode: 200, headers: {} }],
  ['a URL that is none', { url: '', statusCode: 200, headers: {} }],
])('there is nothing to read: %s', (_, response) => {
  expect(readLoadedResponse(response)).toBeUndefined();
});

test('of an HTTP crawler: where it came from in the end, and the first of repeated fields', async () => {
  const headers = { 'x-once': 'a', 'x-twice': ['b', 'c'] };
  const loaded = readLoadedResponse({ url: 'https://127.0.0.1:8443/x', statusCode: 203, headers });
  expect(loaded).toMatchObject({ status: 203, isFromWorker: false });
  expect(loaded?.url.host).toBe('127.0.0.1:8443');
  expect(['x-once', 'x-twice', 'x-never'].map((name) => loaded?.header(name))).toEqual(['a', 'b', undefined]);
  expect(await loaded?.isFromCache()).toBe(false);
});

needsProgram('/usr/bin/chromium', 'chromium', () => {
  const LAUNCH = {
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync'],
  };

  /** Opens a page of that browser, gives its response and closes it. */
  type Load = (url: string) => Promise<unknown>;

  const browsers: Readonly<Record<string, () => Promise<Load>>> = {
    playwright: async () => {
      const browser = await chromium.launch(LAUNCH);
      onTestFinished(() => browser.close());
      const context = await browser.newContext();
      return async (url) => (await context.newPage()).goto(url);
    },
    puppeteer: async () => {
      const browser = await puppeteer.launch(LAUNCH);
      onTestFinished(() => browser.close());
      return async (url) => (await browser.newPage()).goto(url);
    },
  };

  test.each(Object.entries(browsers))(
    'of %s: what it is, and whether the browser had it already',
    async (_, launch) => {
      const target = await openTarget((path, response) => {
        response.setHeader('content-type', 'text/html').setHeader('x-path', path);
        if (path === '/kept') response.setHeader('cache-control', 'max-age=600');
        response.end('<p>A page</p>');
        return true;
      });
      const load = await launch();
      const read = async (path: string) => {
        const loaded = readLoadedResponse(await load(`${target.http}${path}`));
        const { url, status, isFromWorker } = loaded ?? {};
        return [url?.pathname, status, loaded?.header('x-path'), isFromWorker, await loaded?.isFromCache()];
      };
      expect(await read('/kept')).toEqual(['/kept', 200, '/kept', false, false]);
      expect(await read('/kept')).toEqual(['/kept', 200, '/kept', false, true]);
      expect(await read('/new')).toEqual(['/new', 200, '/new', false, false]);
      expect(await read('/new')).toEqual(['/new', 200, '/new', false, false]);
      expect(readLoadedResponse(await load('about:blank'))).toBeUndefined();
    },
  );
});
