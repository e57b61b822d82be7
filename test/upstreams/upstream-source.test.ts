import { hash } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readUpstreamList } from '../../src/upstreams/upstream-list.js';
import { createUpstreamSource, isListLocation, type SourceTimes } from '../../src/upstreams/upstream-source.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

const A = 'local://127.0.0.2';
const B = 'local://127.0.0.3';

describe('a list', () => {
  for (const [name, text, urls] of [
    ['has one URL a line', `${A}\n${B}\n`, [A, B]],
    ['may have comments and blank lines', `# both\n\n  ${A}  \n${B} # the second\n   # end`, [A, B]],
    ['may have the line ends and the mark of Windows', `\uFEFF${A}\r\n${B}\r\n`, [A, B]],
    ['may have a # in a URL', 'http://me:a#b@127.0.0.1:8000\n', ['http://me:a#b@127.0.0.1:8000']],
    ['may be empty', '\n# none\n', []],
  ] as const) {
    test(name, () => expect(readUpstreamList(text, 'x.txt')).toEqual(urls));
  }

  test('is refused with the number of its first bad line, without credentials', () => {
    const read = (): unknown => readUpstreamList(`${A}\n\nhttp://me:secret@host:x\nftp://x\n`, 'x.txt');
    expect(read).toThrow(/^x\.txt, line 3: /);
    expect(read).not.toThrow(/secret/);
  });

  test('is in a file or behind a URL', () => {
    expect(['a.txt', '/x/y', 'https://h/list', 'ftp://h/list', 'http://'].map(isListLocation)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

/** Watches a source; `next` resolves with what it tells next: a list, or the message of a fault. */
async function watched(location: string, times: SourceTimes) {
  const source = createUpstreamSource(location, times);
  onTestFinished(() => source.close());
  const first = await source.read();
  const told: (readonly string[] | string)[] = [];
  let wake = (): void => undefined;
  const tell = (what: readonly string[] | string): void => {
    told.push(what);
    wake();
  };
  source.watch({ onList: tell, onFault: ({ message }) => tell(message) });
  async function next(): Promise<readonly string[] | string> {
    while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return told.shift() ?? [];
  }
  return { source, first, next, told };
}

describe('a file that is watched', () => {
  function file(text: string): string {
    const directory = mkdtempSync(path.join(tmpdir(), 'session-proxy-source-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const name = path.join(directory, 'list.txt');
    writeFileSync(name, text);
    return name;
  }

  test('is read again when it changes, whole: not while it still grows', async () => {
    const name = file(`${A}\n`);
    const { first, next, told } = await watched(name, { settleMs: 1_000 });
    expect(first).toEqual([A]);
    writeFileSync(name, `${A}\nlocal://127.`);
    // Within the time for which it must not change.
    await new Promise((resolve) => setTimeout(resolve, 20));
    appendFileSync(name, '0.0.3\n');
    expect(await next()).toEqual([A, B]);
    expect(told).toEqual([]);
  });

  test('is looked at where the system tells of no change', async () => {
    const name = file(`${A}\n`);
    const directory = path.dirname(name);
    const { next } = await watched(name, { lookEveryMs: 20, settleMs: 20 });
    // The directory that is watched is gone; what is at its path is another one.
    rmSync(directory, { recursive: true });
    expect(await next()).toContain('there is no such file');
    mkdirSync(directory);
    writeFileSync(name, `${B}\n`);
    expect(await next()).toEqual([B]);
  });

  test('a fault is told once, and the next good list is told though it is the old one', async () => {
    const name = file(`${A}\n`);
    const { next, told } = await watched(name, { lookEveryMs: 20, settleMs: 20 });
    writeFileSync(name, '# none\n');
    expect(await next()).toContain('holds no upstream');
    writeFileSync(name, '# none at all\n');
    writeFileSync(name, `${A}\n${B}\n`);
    expect(await next()).toEqual([A, B]);
    expect(told).toEqual([]);
  });
});

describe('a URL that is watched', () => {
  async function listServer() {
    const state = { text: `${A}\n`, status: 200, tags: [] as (string | undefined)[], logins: [] as unknown[] };
    const server = http.createServer((req, res) => {
      const tag = `"${hash('sha256', state.text)}"`;
      state.tags.push(req.headers['if-none-match']);
      state.logins.push(req.headers.authorization);
      if (state.status === 200 && req.headers['if-none-match'] === tag) res.writeHead(304).end();
      else res.writeHead(state.status, { ETag: tag }).end(state.text);
    });
    const port = await listenOnFreePort(server);
    onTestFinished(() => {
      server.closeAllConnections();
      return closeServer(server);
    });
    return { state, url: `http://me:secret@127.0.0.1:${port}/list` };
  }

  test('is asked again and again, with the tag of what is known, and tells what is new', async () => {
    const { state, url } = await listServer();
    const { first, next } = await watched(url, { askEveryMs: 20 });
    expect(first).toEqual([A]);
    while (state.tags.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    state.text = `${B}\n`;
    expect(await next()).toEqual([B]);
    expect(state.tags.slice(0, 2)).toEqual([undefined, expect.any(String)]);
    expect(new Set(state.logins)).toEqual(new Set([`Basic ${btoa('me:secret')}`]));
  });

  test('that fails is told without credentials, and its list is taken when it answers again', async () => {
    const { state, url } = await listServer();
    const { source, next } = await watched(url, { askEveryMs: 20 });
    expect(source.name).not.toContain('secret');
    state.status = 500;
    const told = await next();
    expect(told).toContain('status 500');
    expect(told).not.toContain('secret');
    Object.assign(state, { status: 200, text: `${B}\n` });
    expect(await next()).toEqual([B]);
  });

  test('may lead elsewhere; credentials stay with the server they were given for', async () => {
    const elsewhere = await listServer();
    const server = http.createServer((_, res) => res.writeHead(302, { Location: bare(elsewhere.url) }).end());
    const port = await listenOnFreePort(server);
    onTestFinished(() => closeServer(server));
    const { first } = await watched(`http://me:secret@127.0.0.1:${port}/list`, {});
    expect(first).toEqual([A]);
    expect(elsewhere.state.logins).toEqual([undefined]);
  });

  test('that answers more than a list may have is refused', async () => {
    const { state, url } = await listServer();
    state.text = '#'.repeat(16 * 1024 ** 2 + 1);
    await expect(createUpstreamSource(url).read()).rejects.toThrow(
      /could not be read: it is longer than 16777216 bytes/,
    );
  });

  test('whose answer does not come to an end is given up', async () => {
    const server = http.createServer((_, res) => res.writeHead(200).write(`${A}\n`));
    const port = await listenOnFreePort(server);
    onTestFinished(() => {
      server.closeAllConnections();
      return closeServer(server);
    });
    const read = createUpstreamSource(`http://127.0.0.1:${port}/list`, { answerWithinMs: 200 }).read();
    await expect(read).rejects.toThrow(/could not be read: .*timeout/);
  });
});

function bare(url: string): string {
  return url.replace(/\/\/.*@/, '//');
}
