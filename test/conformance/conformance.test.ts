// The conformance command against our gateway, and against a proxy that does nearly everything wrong.

import { expect, test } from 'vitest';
import { EXIT, runCommand } from '../../conformance/command.js';
import { API_KEY, OTHER_KEY, startGateway } from '../support/gateway.js';
import { closedPort } from '../support/target-raw.js';
import { startWrongProxy } from './wrong-proxy.js';

interface Report {
  readonly documented: { readonly passed: number; readonly failed: number; readonly skipped: number };
  readonly inferred: { readonly passed: number; readonly failed: number; readonly skipped: number };
  readonly checks: readonly { readonly id: string; readonly outcome: string; readonly reason?: string }[];
}

/** Runs the command and keeps what it prints. */
async function run(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCommand(argv, { out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}

async function report(...argv: readonly string[]): Promise<Report & { readonly code: number }> {
  const { code, out } = await run('--json', ...argv);
  return { code, ...(JSON.parse(out) as Report) };
}

/** Checks that ended so, with the reasons. */
function ended({ checks }: Report, outcome: string): string[] {
  return checks.filter((check) => check.outcome === outcome).map(({ id, reason }) => `${id}: ${reason}`);
}

/** What even the wrong proxy can't help doing: its tunnels are blind, it tries again, and it keeps nobody waiting. */
const HELD_BY_CHANCE = [
  'answers.http-1.1',
  'https.leaf',
  'https.alpn',
  'tunnel.other-key',
  'tunnel.keep-alive',
  'tunnel.redirects',
  'tunnel.websocket',
  'bans.retried',
  'bans.other-site',
  'retries.cut-off',
  'delay.fifo',
];

const DELAYS = ['--delay', '150', '--soft', '900', '--hold', '2250', '--hard', '3000'];

test('our gateway holds every sentence, documented or inferred', { timeout: 240_000 }, async () => {
  const { port } = await startGateway({
    delays: { default: '150ms', softLimit: '900ms', maxHold: '2250ms', hardLimit: '3s' },
    targets: { allowPrivate: true, insecure: ['*'], deny: ['forbidden.example'] },
    retries: { default: 3 },
    drainTimeout: 0,
  });
  const url = `http://${API_KEY}:@127.0.0.1:${port}`;
  const found = await report(
    '--url',
    url,
    '--other-key',
    OTHER_KEY,
    '--forbidden-host',
    'forbidden.example',
    ...DELAYS,
  );
  expect(ended(found, 'fail')).toEqual([]);
  expect(ended(found, 'skip').map((line) => line.split(':', 1)[0])).toEqual([
    'limits.sessions',
    'limits.sessions-header',
    'limits.connections',
    'errors.timeout',
  ]);
  expect(found.documented.passed).toBeGreaterThanOrEqual(92);
  expect(found.inferred.passed).toBeGreaterThanOrEqual(50);
  expect(found.code).toBe(EXIT.held);
  const left = await fetch(`http://127.0.0.1:${port}/sessions`, {
    headers: { authorization: `Basic ${btoa(`${API_KEY}:`)}` },
  });
  expect(await left.json(), 'sessions left behind').toEqual({});
});

test('the limits of a key are checked where they are told', async () => {
  const { port } = await startGateway({ sessions: { max: 6 }, maxConnections: 5 });
  const url = `http://${API_KEY}:@127.0.0.1:${port}`;
  const limits = ['--max-sessions', '6', '--max-connections', '5', '--only', 'limits'];
  const found = await report('--url', url, '--delay', '0', ...limits);
  expect(ended(found, 'fail')).toEqual([]);
  expect(ended(found, 'skip')).toEqual([]);
});

test('checks fail against a proxy that does nearly everything wrong, and the command tells it', async () => {
  const url = await startWrongProxy();
  const found = await report('--url', url, ...DELAYS);
  expect(found.code).toBe(EXIT.failed);
  const held = found.checks.filter(({ outcome }) => outcome === 'pass').map(({ id }) => id);
  expect(held).toEqual(HELD_BY_CHANCE);
});

test('what a server does not allow to be checked is not run, and says why', async () => {
  const { port } = await startGateway({ targets: { allowPrivate: false } });
  const found = await report('--url', `http://${API_KEY}:@127.0.0.1:${port}`, '--delay', '0', '--only', 'session.p');
  expect([found.code, found.documented.passed]).toEqual([EXIT.held, 0]);
  expect(ended(found, 'skip')).toEqual([
    expect.stringMatching(/^session.pin: the server does not fetch a target on 127.0.0.1:\d+: 523 domain_forbidden/),
    expect.stringMatching(/^session.pin-each: the server does not fetch a target/),
  ]);
});

test('a failure is told with what was given, done, expected and found', async () => {
  const { code, out } = await run('--url', await startWrongProxy(), '--only', 'auth.required');
  expect(code).toBe(EXIT.failed);
  expect(out).toContain('FAIL  auth.required');
  expect(out).toContain('given no credentials, when a request and a CONNECT are sent, then both get 407');
  expect(out).toContain('but the status is not 407');
  expect(out).toContain('documented: 0 of 1 hold (0 %), 0 not run');
});

test('an inferred failure alone does not fail the command', async () => {
  const { code, inferred } = await report('--url', await startWrongProxy(), '--only', 'relay.adds-nothing');
  expect([code, inferred.failed]).toEqual([EXIT.held, 1]);
});

const noServer = async (): Promise<string> => `http://key:@127.0.0.1:${await closedPort()}`;

for (const [name, argv, message] of [
  ['no URL', [], 'Give the server'],
  ['a URL without a key', ['--url', 'http://127.0.0.1:1'], 'takes the API key as its user'],
  ['a number that is none', ['--url', 'http://key:@127.0.0.1:1', '--delay', '12s'], '--delay takes a whole number'],
  ['an unknown option', ['--uri', 'x'], "Unknown option '--uri'"],
  ['a check that is not there', ['--url', 'http://key:@127.0.0.1:1', '--only', 'nothing'], 'No check begins with'],
] as const) {
  test(`${name} is a bad argument`, async () => {
    const { code, err } = await run(...argv);
    expect([code, err]).toEqual([EXIT.badArguments, expect.stringContaining(message)]);
    expect(err).not.toContain('key:');
  });
}

test('a server that is not there is told, without the key', async () => {
  const { code, err } = await run('--url', await noServer());
  expect([code, err]).toEqual([EXIT.badArguments, expect.stringContaining("can't be run against 127.0.0.1:")]);
  expect(err).not.toContain('key:');
});

test('--list names every check once, with its source', async () => {
  const { code, out } = await run('--list');
  const ids = [...out.matchAll(/^([a-z-]+\.[a-z0-9.-]+) \((?:documented|inferred), [DCWSI]: .+\)$/gm)].map(
    ([, id]) => id,
  );
  expect(code).toBe(EXIT.held);
  expect(ids.length).toBeGreaterThan(140);
  expect(new Set(ids).size).toBe(ids.length);
});
