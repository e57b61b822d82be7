import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import { deferred } from '../support/deferred.js';
import { API_KEY, startGateway, startTarget, type TestGateway } from '../support/gateway.js';
import {
  openRaw,
  proxyAuth,
  type RawAnswer,
  readAnswer,
  sendConnect,
  sendGet,
  sendRaw,
} from '../support/raw-client.js';

const CHANGED = 'X-Session-Proxy-Ip-Changed';

/** A file of that text, in a directory of its own. */
function listFile(text: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'session-proxy-list-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'upstreams.txt');
  writeFileSync(file, text);
  return file;
}

async function startListed(text: string, options: GatewayOptions = {}) {
  const file = listFile(text);
  const started = await startGateway({ upstreams: [], upstreamsFile: file, ...options });
  return { ...started, file };
}

/** Writes the list anew and waits until the gateway has it. */
async function change({ file, event, events }: TestGateway & { file: string }, text: string): Promise<void> {
  const before = new Set(events);
  writeFileSync(file, text);
  await event((candidate) => candidate.type === 'upstreams.changed' && !before.has(candidate));
}

/** Asks the gateway's JSON API. */
async function ask(port: number, line: string, body = ''): Promise<{ status: number; json: Record<string, unknown> }> {
  const authorization = `Authorization: Basic ${btoa(`${API_KEY}:`)}\r\n`;
  const rest = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const answer = await sendRaw(
    port,
    `${line} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${authorization}${rest}\r\n${body}`,
  );
  return { status: answer.status, json: JSON.parse(answer.body) as Record<string, unknown> };
}

async function createSession(port: number, body = '{}'): Promise<string> {
  const { status, json } = await ask(port, 'POST /api/sessions', body);
  expect(status).toBe(201);
  return String(json['id']);
}

const inSession = (port: number, url: string, id: string): Promise<RawAnswer> =>
  sendGet(port, url, `X-Crawlera-Session: ${id}\r\n`);

describe('upstreams from a file', () => {
  test('are used together with those of the configuration', async () => {
    const target = await startTarget();
    const { port } = await startListed('# ours\nlocal://127.0.0.2\n\nlocal://127.0.0.3 # the other\n', {
      upstreams: ['local://127.0.0.4'],
    });
    for (let index = 0; index < 3; index += 1) expect((await sendGet(port, target.url)).status).toBe(200);
    expect(target.arrivals.map(({ fromIp }) => fromIp).toSorted()).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.4']);
  });

  test('follow the file when it is written, and when another is put in its place', async () => {
    const target = await startTarget();
    const started = await startListed('local://127.0.0.2\n');
    await change(started, 'local://127.0.0.3\n');
    await sendGet(started.port, target.url);
    const before = started.events.length;
    writeFileSync(`${started.file}.new`, 'local://127.0.0.4\n');
    renameSync(`${started.file}.new`, started.file);
    await started.event((event) => event.type === 'upstreams.changed' && event.added.includes('127.0.0.4'));
    expect(started.events.slice(before)).toContainEqual({
      type: 'upstreams.changed',
      added: ['127.0.0.4'],
      removed: ['127.0.0.3'],
    });
    await sendGet(started.port, target.url);
    expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(['127.0.0.3', '127.0.0.4']);
  });

  for (const [name, text, line] of [
    ['with a line that is no upstream', 'local://127.0.0.3\nhttp://me:secret@127.0.0.1:x\n', 2],
    ['without a line', '# all gone\n', undefined],
  ] as const) {
    test(`stay as they were where the file is read again ${name}`, async () => {
      const target = await startTarget();
      const started = await startListed('local://127.0.0.2\n');
      writeFileSync(started.file, text);
      const refused = await started.event(({ type }) => type === 'upstreams.refused');
      expect(refused).toMatchObject({ line });
      expect(JSON.stringify(refused)).not.toContain('secret');
      await sendGet(started.port, target.url);
      expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(['127.0.0.2']);
    });
  }

  test('stay as they were where the file is gone, until it is back', async () => {
    const started = await startListed('local://127.0.0.2\n');
    rmSync(started.file);
    await started.event(({ type }) => type === 'upstreams.refused');
    await change(started, 'local://127.0.0.2\nlocal://127.0.0.3\n');
  });

  for (const [name, text, told] of [
    ['a bad line', 'local://127.0.0.2\nftp://me:secret@host\n', 'line 2'],
    ['no line, where nothing else is configured', '\n', 'no upstream is configured'],
    ['two entries that the configuration names alike', 'local://127.0.0.9\n', 'Two upstreams are named'],
  ] as const) {
    test(`are an error at the start with ${name}`, async () => {
      const upstreams =
        name === 'two entries that the configuration names alike'
          ? [{ url: 'local://127.0.0.2', name: '127.0.0.9' }]
          : [];
      const failed = startGateway({ upstreams, upstreamsFile: listFile(text) });
      await expect(failed).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: expect.stringContaining(told),
      });
      await expect(failed).rejects.not.toThrow('secret');
    });
  }

  test('are an error at the start where there is no such file', async () => {
    const failed = startGateway({ upstreams: ['local://127.0.0.2'], upstreamsFile: `${listFile('')}.txt` });
    await expect(failed).rejects.toThrow('there is no such file');
  });
});

describe('a session whose upstream left the list', () => {
  test('ends at its next use, and others are untouched', async () => {
    const target = await startTarget();
    const started = await startListed('local://127.0.0.2\nlocal://127.0.0.3\n');
    const { port } = started;
    const ids = [await createSession(port), await createSession(port)];
    await change(started, 'local://127.0.0.3\n');
    const answers = [];
    for (const id of ids) answers.push(await inSession(port, target.url, id));
    expect(answers.map(({ status, header }) => [status, header('X-Crawlera-Error')])).toEqual([
      [400, 'bad_session_id'],
      [200, undefined],
    ]);
    expect((await ask(port, `GET /api/sessions/${ids[0]}`)).status).toBe(404);
    expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(['127.0.0.3']);
  });

  test('moves where it was created so, and its next answer tells, once', async () => {
    const target = await startTarget();
    const started = await startListed('local://127.0.0.2\n');
    const { port } = started;
    const id = await createSession(port, '{"onUpstreamLoss":"rebind"}');
    const before = await inSession(port, target.url, id);
    await change(started, 'local://127.0.0.3\n');
    const answers = [before, await inSession(port, target.url, id), await inSession(port, target.url, id)];
    expect(answers.map(({ status, header }) => [status, header(CHANGED), header('X-Crawlera-Slave')])).toEqual([
      [200, undefined, '127.0.0.2'],
      [200, '127.0.0.2', '127.0.0.3'],
      [200, undefined, '127.0.0.3'],
    ]);
    expect(started.events).toContainEqual({
      type: 'session.moved',
      owner: expect.any(String),
      sessionId: id,
      from: '127.0.0.2',
      to: '127.0.0.3',
      why: 'gone',
    });
  });

  test('tells so in the answer to a CONNECT, without the address where that is not to be told', async () => {
    const target = await startTarget();
    for (const [exposeOutgoingIp, told] of [
      [true, '127.0.0.2'],
      [false, 'true'],
    ] as const) {
      const started = await startListed('local://127.0.0.2\n', {
        exposeOutgoingIp,
        sessions: { onUpstreamLoss: 'rebind' },
      });
      const { port } = started;
      const id = await createSession(port);
      await change(started, 'local://127.0.0.3\n');
      const { answer } = await sendConnect(port, `127.0.0.1:${target.port}`, { password: `session-${id}` });
      expect([answer.status, answer.header(CHANGED)]).toEqual([200, told]);
    }
  });

  test('lets its running exchange finish', async () => {
    const [isAsked, asked] = deferred();
    const [mayAnswer, letAnswer] = deferred();
    const target = await startTarget((_, res) => {
      asked();
      void mayAnswer.then(() => res.end('late'));
    });
    const started = await startListed('local://127.0.0.2\n');
    const { port } = started;
    const id = await createSession(port);
    const socket = openRaw(
      port,
      `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}X-Crawlera-Session: ${id}\r\n\r\n`,
    );
    await isAsked;
    await change(started, 'local://127.0.0.3\n');
    letAnswer();
    expect(await readAnswer(socket)).toMatchObject({ status: 200, body: 'late' });
    expect((await inSession(port, target.url, id)).status).toBe(400);
  });

  test('a target can not pretend that a session moved', async () => {
    const target = await startTarget((_, res) => res.writeHead(200, { [CHANGED]: '192.0.2.1' }).end());
    const { port } = await startGateway();
    expect((await sendGet(port, target.url)).header(CHANGED)).toBeUndefined();
  });
});

describe('what the API tells of upstreams', () => {
  test('is what went through each, and how many sessions it has', async () => {
    const target = await startTarget((_, res) => res.writeHead(200).end('12345'));
    const upstreams = [{ url: 'local://127.0.0.2', weight: 2 }, 'local://127.0.0.3'];
    const { port, event } = await startGateway({ upstreams });
    const id = await createSession(port);
    await inSession(port, target.url, id);
    await event(({ type }) => type === 'use.settled');
    const { json } = await ask(port, 'GET /api/upstreams');
    expect(json['upstreams']).toMatchObject([
      {
        name: '127.0.0.2',
        weight: 2,
        sessions: 1,
        exits: null,
        uses: 1,
        bans: 0,
        ipChanges: 0,
        health: { state: 'up' },
      },
      { name: '127.0.0.3', weight: 1, sessions: 0, uses: 0, bytesIn: 0, bytesOut: 0 },
    ]);
    const [{ bytesIn, bytesOut } = {}] = json['upstreams'] as { bytesIn: number; bytesOut: number }[];
    expect([Number(bytesIn) > 5, Number(bytesOut) > 20]).toEqual([true, true]);
  });

  test('explains which upstream a session has, and what its next use waits for', async () => {
    const target = await startTarget();
    const { port } = await startGateway({ upstreams: ['local://127.0.0.2'], delays: { default: '60s' } });
    const id = await createSession(port);
    await inSession(port, target.url, id);
    const { status, json } = await ask(port, `GET /api/explain?session=${id}&host=127.0.0.1`);
    expect(status).toBe(200);
    expect(json).toMatchObject({ session: id, host: '127.0.0.1', upstream: '127.0.0.2', outgoingIp: '127.0.0.2' });
    expect(json['waitMs']).toBeGreaterThan(50_000);
    expect(json['reasons']).toEqual([
      expect.stringContaining('pinned to the upstream 127.0.0.2'),
      expect.stringContaining('kept 60000 ms apart'),
    ]);
  });

  test('explains that an upstream is gone, and what follows', async () => {
    const started = await startListed('local://127.0.0.2\n');
    const id = await createSession(started.port, '{"onUpstreamLoss":"same-ip"}');
    await change(started, 'local://127.0.0.3\n');
    const { json } = await ask(started.port, `GET /api/explain?session=${id}&host=example.com`);
    expect(json['reasons']).toContainEqual(expect.stringMatching(/has left the list.*same-ip/));
  });

  test('needs a session and a host', async () => {
    const { port } = await startGateway();
    const id = await createSession(port);
    expect((await ask(port, 'GET /api/explain?session=404&host=example.com')).status).toBe(404);
    expect((await ask(port, `GET /api/explain?session=${id}&host=`)).json).toMatchObject({ error: 'bad_request' });
  });
});

describe('an upstream with many exits', () => {
  test('gives each session one of its own, which it keeps, and each request without a session any', async () => {
    const target = await startTarget();
    const { port } = await startGateway({ upstreams: ['local://127.0.64.0/18'] });
    const ids = [await createSession(port), await createSession(port)];
    for (const id of [...ids, ...ids]) {
      const answer = await inSession(port, target.url, id);
      expect([answer.status, answer.header('X-Crawlera-Slave')]).toEqual([200, target.arrivals.at(-1)?.fromIp]);
    }
    for (let index = 0; index < 4; index += 1) await sendGet(port, target.url);
    const [one, two, again, too, ...others] = target.arrivals.map(({ fromIp }) => fromIp);
    expect([again, too]).toEqual([one, two]);
    // Of 16,382 addresses; that all six are one happens to nobody.
    expect(new Set([one, two, ...others]).size).toBeGreaterThan(1);
    const { json } = await ask(port, 'GET /api/upstreams');
    expect(json['upstreams']).toMatchObject([{ sessions: 2, exits: new Set([one, two]).size, uses: 8 }]);
  });

  test('is tried again through another exit where one fails', async () => {
    const target = await startTarget((req, res) => {
      if (target.arrivals.length < 3) req.socket.destroy();
      else res.end('ok');
    });
    const { port } = await startGateway({ upstreams: ['local://127.0.64.0/18'] });
    expect(await sendGet(port, target.url)).toMatchObject({ status: 200, body: 'ok' });
    expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBeGreaterThan(1);
  });
});
