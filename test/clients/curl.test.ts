// curl against a gateway: its headers travel inside the tunnel, its CONNECT carries nothing but the key.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { API_KEY } from '../support/gateway.js';
import { needsProgram } from '../support/needs.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { type Outcome, runProgram } from './run-program.js';
import {
  type ClientGateway,
  leakedHeaders,
  listArrivals,
  SCHEMES,
  startClientGateway,
  startTargetOf,
} from './setting.js';

function curl(...args: readonly string[]): Promise<Outcome> {
  return runProgram('curl', ['--silent', '--show-error', '--max-time', '20', ...args]);
}

/** The arguments of one request through the gateway in a session. */
function through({ proxyUrl, caFile }: ClientGateway, url: string, session: string): string[] {
  return ['--include', '--proxy', proxyUrl, '--cacert', caFile, '--header', `X-Crawlera-Session: ${session}`, url];
}

function sessionOf({ stdout }: Outcome): string {
  return /^X-Crawlera-Session: (\d+)\r$/m.exec(stdout)?.[1] ?? '';
}

async function createSession(gateway: ClientGateway, url: string): Promise<string> {
  const made = await curl(...through(gateway, url, 'create'));
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(sessionOf(made)).toMatch(/^\d+$/);
  return sessionOf(made);
}

needsProgram('curl', 'curl', () => {
  describe.each(SCHEMES)('over %s', (scheme) => {
    test('a session made by header keeps its outgoing IP, and another one gets another', async () => {
      const [gateway, target] = [await startClientGateway(), await startTargetOf(scheme)];
      const first = await createSession(gateway, `${target.url}/first`);
      const second = await createSession(gateway, `${target.url}/second`);
      for (const [name, id] of Object.entries({ a: first, b: second, c: first })) {
        const again = await curl(...through(gateway, `${target.url}/${name}`, id));
        expect(sessionOf(again)).toBe(id);
      }
      const [one, other] = target.arrivals.map(({ fromIp }) => fromIp);
      expect(new Set([one, other])).toEqual(new Set(['127.0.0.2', '127.0.0.3']));
      expect(listArrivals(target)).toEqual([
        `/first from ${one}`,
        `/second from ${other}`,
        `/a from ${one}`,
        `/b from ${other}`,
        `/c from ${one}`,
      ]);
      expect(leakedHeaders(target)).toEqual([]);
    });

    test('two sessions that take turns on one connection each use their own outgoing IP', async () => {
      const [gateway, target] = [await startClientGateway(), await startTargetOf(scheme)];
      const first = await createSession(gateway, `${target.url}/first`);
      const second = await createSession(gateway, `${target.url}/second`);
      const turns = [first, second, first, second].flatMap((id, turn) => [
        ...(turn === 0 ? [] : ['--next', '--silent', '--show-error']),
        ...through(gateway, `${target.url}/${turn}`, id),
        '--write-out',
        'connects: %{num_connects}\\n',
      ]);
      const { code, stdout } = await curl(...turns);
      expect(code).toBe(0);
      expect(stdout.match(/connects: \d+/g)).toEqual(['connects: 1', 'connects: 0', 'connects: 0', 'connects: 0']);
      const [one, other] = target.arrivals.map(({ fromIp }) => fromIp);
      expect(one).not.toBe(other);
      expect(listArrivals(target).slice(2)).toEqual([
        `/0 from ${one}`,
        `/1 from ${other}`,
        `/2 from ${one}`,
        `/3 from ${other}`,
      ]);
    });

    test('an unknown session is an answer, not a failed connection', async () => {
      const [gateway, target] = [await startClientGateway(), await startTargetOf(scheme)];
      const { code, stdout } = await curl(...through(gateway, target.url, '404'));
      expect(code).toBe(0);
      expect(stdout).toMatch(/^HTTP\/1\.1 400 Bad Request\r$/m);
      expect(stdout).toMatch(/^X-Crawlera-Error: bad_session_id\r$/m);
      expect(target.connections()).toBe(0);
    });

    test('the ID of a new session comes on a 404 of the target, too', async () => {
      const gateway = await startClientGateway();
      const target = await startTargetOf(scheme, (_req, res) => res.writeHead(404).end('gone'));
      const { stdout } = await curl(...through(gateway, target.url, 'create'));
      expect(stdout).toMatch(/^HTTP\/1\.1 404 Not Found\r$/m);
      expect(stdout).not.toContain('X-Crawlera-Error');
      expect(stdout).toMatch(/^X-Crawlera-Session: \d+\r$/m);
    });
  });

  test('a wrong key is 407 on the CONNECT', async () => {
    const [gateway, target] = [await startClientGateway(), await startTargetOf('https')];
    const stranger = { ...gateway, proxyUrl: gateway.proxyUrl.replace(API_KEY, 'not-the-key') };
    const { code, stdout } = await curl(...through(stranger, target.url, 'create'));
    expect(code).not.toBe(0);
    expect(stdout).toMatch(/^HTTP\/1\.1 407 Proxy Authentication Required\r$/m);
    expect(stdout).toMatch(/^X-Crawlera-Error: bad_proxy_auth\r$/m);
  });

  test('a tunnel whose session is in the credentials shows the certificate of the target itself', async () => {
    const [gateway, target] = [await startClientGateway(), await startTargetOf('https')];
    const targetCert = path.join(path.dirname(gateway.caFile), 'target.crt');
    await writeFile(targetCert, SELF_SIGNED.cert);
    const proxy = ['--proxy', gateway.url, '--proxy-user', `${API_KEY}:session-checkout`];
    for (const turn of [0, 1, 2]) {
      expect(await curl(...proxy, '--cacert', targetCert, `${target.url}/${turn}`)).toMatchObject({ code: 0 });
    }
    expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(1);
    // 60: curl's "peer's certificate cannot be verified".
    expect(await curl(...proxy, '--cacert', gateway.caFile, target.url)).toMatchObject({ code: 60 });
    expect(target.arrivals).toHaveLength(3);
  });

  test('a name is verified as well as an address is', async () => {
    const [gateway, target] = [await startClientGateway(), await startTargetOf('https')];
    await createSession(gateway, target.url.replace('127.0.0.1', 'localhost'));
    expect(target.arrivals).toHaveLength(1);
  });
});
