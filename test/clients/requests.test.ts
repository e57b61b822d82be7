// python-requests against a gateway: CONNECT in HTTP/1.0 without a Host field, headers inside the tunnel, and the
// verbs of /sessions. The script is beside this file; it prints what came back, the target tells what arrived.

import path from 'node:path';
import { expect, test } from 'vitest';
import { API_KEY } from '../support/gateway.js';
import { needs } from '../support/needs.js';
import { findPython } from './find-python.js';
import { runProgram } from './run-program.js';
import { leakedHeaders, listArrivals, type Scheme, SCHEMES, startClientGateway, startTargetOf } from './setting.js';

const SCRIPT = path.join(import.meta.dirname, 'requests-sessions.py');

/** An answer as the script saw it. */
interface Seen {
  readonly status: number;
  readonly session: string | null;
  readonly error: string | null;
  readonly body: string;
}

interface Report {
  readonly byHeader: readonly Seen[];
  readonly byApi: {
    readonly made: Seen;
    readonly used: Seen;
    readonly listed: Readonly<Record<string, string>>;
    readonly deleted: number;
    readonly after: Seen;
  };
  readonly withRedirects: { readonly seen: readonly Seen[]; readonly deleted: number };
}

const python = findPython('requests');

async function runScript(scheme: Scheme) {
  const gateway = await startClientGateway();
  const target = await startTargetOf(scheme, (req, res) => {
    if (req.url === '/redirect') res.writeHead(302, { Location: `${target.url}/landed` });
    res.end(req.socket.remoteAddress);
  });
  const args = [SCRIPT, gateway.url, API_KEY, target.url, gateway.caFile];
  const { code, stdout, stderr } = await runProgram(python ?? '', args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return { gateway, target, report: JSON.parse(stdout) as Report };
}

needs({ what: 'python-requests', isThere: python !== undefined, command: 'apt-get install python3-requests' }, () => {
  test.each(SCHEMES)('a script works through its sessions over %s', async (scheme) => {
    const { gateway, target, report } = await runScript(scheme);
    const { byHeader, byApi, withRedirects } = report;

    const [first, second, ...turns] = byHeader;
    const unknown = turns.pop();
    expect(new Set([first?.body, second?.body])).toEqual(new Set(['127.0.0.2', '127.0.0.3']));
    expect(turns).toEqual([first, second, first, second]);
    expect(unknown).toMatchObject({ status: 400, session: '404', error: 'bad_session_id' });

    const id = byApi.made.body;
    expect(id).toMatch(/^\d+$/);
    expect(byApi.made).toEqual({ status: 200, session: id, error: null, body: id });
    expect(byApi.used).toMatchObject({ status: 200, session: id, error: null });
    expect(byApi.listed).toMatchObject({ [id]: byApi.used.body });
    expect(byApi.deleted).toBe(200);
    expect(byApi.after).toMatchObject({ status: 400, session: id, error: 'bad_session_id' });

    const [redirect, landed] = withRedirects.seen;
    expect(withRedirects.seen.map(({ status }) => status)).toEqual([302, 200]);
    expect(landed).toMatchObject({ session: redirect?.session, body: redirect?.body });
    expect(withRedirects.deleted).toBe(200);

    const [one, other] = [first?.body, second?.body];
    expect(listArrivals(target)).toEqual([
      `/first from ${one}`,
      `/second from ${other}`,
      `/0 from ${one}`,
      `/1 from ${other}`,
      `/2 from ${one}`,
      `/3 from ${other}`,
      `/api from ${byApi.used.body}`,
      `/redirect from ${landed?.body}`,
      `/landed from ${landed?.body}`,
    ]);
    expect(leakedHeaders(target)).toEqual([]);
    expect(gateway.events.filter(({ type }) => type === 'session.ended')).toMatchObject([
      { sessionId: id, reason: 'deleted' },
      { sessionId: redirect?.session, reason: 'deleted' },
    ]);
  });

  test('a wrong key over https is a ProxyError that names 407', async () => {
    const [gateway, target] = [await startClientGateway(), await startTargetOf('https')];
    const args = [SCRIPT, gateway.url, 'not-the-key', target.url, gateway.caFile];
    const { code, stderr } = await runProgram(python ?? '', args);
    expect(code).toBe(1);
    expect(stderr).toContain('407 Proxy Authentication Required');
    expect(target.connections()).toBe(0);
  });
});
