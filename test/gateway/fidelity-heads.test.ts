// What is not ours in a head arrives as it was sent: by properties over any fields there are, and by the cases that
// are easily got wrong.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ALL_WAYS, answerHeads, answerOnce, headOf, OK, outcomeOf, startScene, STRAIGHT } from './fidelity-ways.js';

const TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Fields that mean something to one hop, to the framing or to the protocol. */
const NOT_PASSED =
  /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|host|expect|proxy-.*|x-crawlera-.*|zyte-.*)$/i;

/** Names that a program in between is tempted to add, merge, change or drop. */
const TEMPTING = (
  'Date Server Via Age Forwarded X-Forwarded-For Accept-Encoding Content-Encoding User-Agent Set-Cookie set-cookie ' +
  'Cookie COOKIE Authorization Content-Type Location Content-Disposition Retry-After Referer Max-Forwards ETag ' +
  '__proto__ constructor toString'
).split(' ');

const name = fc.oneof(
  fc.constantFrom(...TEMPTING),
  fc
    .string({ unit: fc.constantFrom(...TOKEN.split('')), minLength: 1, maxLength: 12 })
    .filter((text) => !NOT_PASSED.test(text)),
);

/** Any bytes that may stand in a value; white space round it is not part of it. */
const visible = fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f);
const inside = fc.oneof({ weight: 9, arbitrary: visible }, fc.constantFrom(0x20, 0x09));
const value = fc.oneof(
  fc.constant(''),
  fc
    .tuple(visible, fc.array(inside, { maxLength: 40 }), visible)
    .map(([first, middle, last]) => String.fromCharCode(first, ...middle, last)),
);
const fieldLines = fc.array(
  fc.tuple(name, value).map(([field, text]) => `${field}: ${text}`),
  { maxLength: 30 },
);

const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\r\n`).join('');

/** Lines of a head behind its first, but those of this hop. */
const passed = (head: string): string[] =>
  head
    .split('\r\n')
    .slice(1)
    .filter((line) => !NOT_PASSED.test(line.slice(0, line.indexOf(':'))));

for (const way of ALL_WAYS) {
  describe(way.name, () => {
    test('any fields of a request arrive byte for byte, in order, case and number', async () => {
      const { heads, serve } = answerHeads(() => OK);
      const scene = await startScene(way, serve);
      await fc.assert(
        fc.asyncProperty(fieldLines, async (lines) => {
          heads.length = 0;
          await scene.ask({ fields: joined(lines) }, '\r\n\r\nok');
          expect(heads).toHaveLength(1);
          expect(passed(heads[0] ?? '')).toEqual(lines);
        }),
        { numRuns: 40 },
      );
    });

    test('any fields of an answer arrive byte for byte, in order, case and number', async () => {
      let lines: readonly string[] = [];
      const { serve } = answerHeads(() => `HTTP/1.1 200 OK\r\n${joined(lines)}Content-Length: 2\r\n\r\nok`);
      const scene = await startScene(way, serve);
      await fc.assert(
        fc.asyncProperty(fieldLines, async (given) => {
          lines = given;
          expect(passed(headOf(await scene.ask({}, '\r\n\r\nok')))).toEqual(given);
        }),
        { numRuns: 40 },
      );
    });
  });
}

/** Bytes of a head as node counts them: the target of its first line, names and values. */
function countOf(head: string): number {
  const [first = '', ...lines] = head.split('\r\n\r\n', 1)[0]?.split('\r\n') ?? [];
  const counted = first.startsWith('HTTP/') ? first.slice('HTTP/1.1 200 '.length) : (first.split(' ')[1] ?? '');
  return lines.reduce((sum, line) => sum + line.length - ': '.length, counted.length);
}

/** Node counts up to this, and no further. */
const MOST_BYTES = 100 * 1024 - 1;

for (const way of STRAIGHT) {
  describe(way.name, () => {
    test('nothing is added to a request but Connection, and nothing to an answer but our fields', async () => {
      const { heads, serve } = answerHeads(() => OK);
      const scene = await startScene(way, serve);
      const answer = headOf(await scene.ask({ path: '/x' }, 'ok'));
      expect(heads).toEqual([`GET /x HTTP/1.1\r\nHost: ${scene.authority}\r\nConnection: keep-alive`]);
      expect(answer).toMatch(
        /^HTTP\/1.1 200 OK\r\nContent-Length: 2\r\nX-Crawlera-Version: [\d.]+\r\nX-Crawlera-Slave: 127.0.0.2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=\d+$/,
      );
    });

    test('white space round a value goes, and a folded line is joined by a space', async () => {
      const scene = await startScene(way, answerOnce(`HTTP/1.1 200 OK\r\nA: \t x \t\r\nB:y\r\n z\r\n${OK.slice(17)}`));
      expect(passed(headOf(await scene.ask({}, 'ok')))).toEqual(['A: x', 'B: y z']);
    });

    for (const reason of ['', 'Quite Fine', '\u00e9\u0080\u00ff', ' two  spaces', 'x'.repeat(10_000)]) {
      test(`the reason phrase "${reason.slice(0, 20)}" arrives as it is`, async () => {
        const scene = await startScene(way, answerOnce(`HTTP/1.1 299 ${reason}\r\nContent-Length: 2\r\n\r\nok`));
        expect((await scene.ask({}, '\r\n\r\nok')).split('\r\n', 1)).toEqual([`HTTP/1.1 299 ${reason}`]);
      });
    }

    test('a path arrives as it was written', async () => {
      const { heads, serve } = answerHeads(() => OK);
      const scene = await startScene(way, serve);
      const paths = [
        '//x',
        '/a/../b/./%2e%zz',
        '/|^"<>{}\\`~',
        '/?a=b?c&&=',
        '/%C3%A9',
        '/:@;,!$()*',
        `/${'x'.repeat(60_000)}`,
      ];
      for (const path of paths) await scene.ask({ path }, 'ok');
      expect(heads.map((head) => head.split(' ', 2)[1])).toEqual(paths);
    });

    test('a path with bytes that node does not read is told, not cut', async () => {
      const scene = await startScene(way, answerOnce(OK));
      for (const path of ['/\u00e9', '/\u0000', '/\u007f']) {
        expect(outcomeOf(await scene.ask({ path }))).toEqual([400, 'bad_request', expect.stringContaining('url')]);
      }
    });

    test('a request head of 100 KiB arrives, one byte more is 413', async () => {
      const { heads, serve } = answerHeads(() => OK);
      const scene = await startScene(way, serve);
      const room = MOST_BYTES - countOf(scene.request({ fields: 'A: \r\n' }));
      expect(await scene.ask({ fields: `A: ${'a'.repeat(room)}\r\n` }, 'ok')).toContain(' 200 OK');
      expect(heads[0]).toContain(`A: ${'a'.repeat(room)}\r\n`);
      const refused = outcomeOf(await scene.ask({ fields: `A: ${'a'.repeat(room + 1)}\r\n` }));
      expect(refused).toEqual([413, 'headers_too_large', expect.stringContaining('102400')]);
    });

    test('the head of an answer of 100 KiB arrives, one byte more is 502 with a reason', async () => {
      const answer = (bytes: number): string => `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(bytes)}\r\n${OK.slice(17)}`;
      const room = MOST_BYTES - countOf(answer(0));
      const whole = await startScene(way, answerOnce(answer(room)));
      expect(passed(headOf(await whole.ask({}, '\r\n\r\nok')))).toEqual([`A: ${'a'.repeat(room)}`]);
      const more = await startScene(way, answerOnce(answer(room + 1)));
      expect(outcomeOf(await more.ask({}, 'large'))).toEqual([
        502,
        'send_failed',
        expect.stringContaining('too large'),
      ]);
    });

    test('thousands of lines arrive, both ways', async () => {
      const lines = Array.from({ length: 9000 }, (_, index) => `x${index}: 1`);
      const { heads, serve } = answerHeads(() => `HTTP/1.1 200 OK\r\n${joined(lines)}${OK.slice(17)}`);
      const scene = await startScene(way, serve);
      expect(passed(headOf(await scene.ask({ fields: joined(lines) }, '\r\n\r\nok')))).toEqual(lines);
      expect(passed(heads[0] ?? '')).toEqual(lines);
    });

    for (const [what, host] of [
      ['of another name', 'Host: elsewhere.example\r\n'],
      ['missing', ''],
      ['empty', 'Host: \r\n'],
      ['twice', 'Host: one.example\r\nhost: two.example\r\n'],
    ] as const) {
      test(`of a Host that is ${what}, one goes out: the target's in the clear, the client's own inside a tunnel`, async () => {
        const { heads, serve } = answerHeads(() => OK);
        const scene = await startScene(way, serve);
        await scene.ask({ host }, 'ok');
        const own = /^Host: (.*)\r\n/.exec(host)?.[1] ?? scene.authority;
        const hosts = (heads[0] ?? '').split('\r\n').filter((line) => /^host:/i.test(line));
        expect(hosts).toEqual([`Host: ${way.isSecure ? own : scene.authority}`]);
      });
    }

    test('fields that Connection lists end here, but for those that say what the message is', async () => {
      const options =
        'Connection: Host, X-Gone\r\nconnection: Content-Length,, x-too ,close\r\nX-Gone: 1\r\nX-TOO: 2\r\n';
      const scene = await startScene(
        way,
        answerOnce(`HTTP/1.1 200 OK\r\nA: 1\r\n${options}Content-Length: 2\r\n\r\nok`),
      );
      const request = scene.ask(
        { method: 'POST', fields: `A: 1\r\n${options}Content-Length: 2\r\n`, body: 'hi' },
        '\r\n\r\nok',
      );
      expect(passed(headOf(await request))).toEqual(['A: 1']);
      expect(headOf(await request)).toContain('\r\nContent-Length: 2\r\n');
      expect(scene.target.connections[0]?.text).toBe(
        `POST / HTTP/1.1\r\nHost: ${scene.authority}\r\nA: 1\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi`,
      );
    });
  });
}
