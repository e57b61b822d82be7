// Scrapoxy, replayed: it names its session on the CONNECT and nowhere else, and verifies no certificates. The tests
// do, to know whose TLS it is.

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import { openRaw, type RawAnswer, readAnswer } from '../support/raw-client.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { scrapoxyConnect } from './replayed-clients.js';
import { leakedHeaders, startClientGateway, startTargetOf } from './setting.js';
import { openTunnelWire, type Wire } from './wire.js';

function get(wire: Wire, host: string): Promise<RawAnswer> {
  return wire.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
}

test('Scrapoxy has its session on the CONNECT, and the TLS of the target to itself', async () => {
  const [gateway, target] = [await startClientGateway(), await startTargetOf('https')];
  const { host } = new URL(target.url);
  const { id, outgoingIp } = await new SessionsClient(gateway.proxyUrl).create();
  for (let turn = 0; turn < 3; turn += 1) {
    const wire = await openTunnelWire(gateway, { connect: scrapoxyConnect(host, id), ca: SELF_SIGNED.cert });
    expect((await get(wire, host)).status).toBe(200);
  }
  expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual([outgoingIp, outgoingIp, outgoingIp]);
  expect(leakedHeaders(target)).toEqual([]);
});

test('Scrapoxy that is always intercepted has its session on the CONNECT, too', async () => {
  const [gateway, target] = [await startClientGateway({ intercept: 'always' }), await startTargetOf('https')];
  const { host } = new URL(target.url);
  const { id, outgoingIp } = await new SessionsClient(gateway.proxyUrl).create();
  const ca = await readFile(gateway.caFile, 'utf8');
  const wire = await openTunnelWire(gateway, { connect: scrapoxyConnect(host, id), ca });
  for (let turn = 0; turn < 2; turn += 1) {
    expect((await get(wire, host)).header('X-Crawlera-Session')).toBe(id);
  }
  expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual([outgoingIp, outgoingIp]);
});

for (const [name, session, region, status, code] of [
  ['with a key that is no session', '1', undefined, 400, 'bad_session_id'],
  ['with a region beside the session', 'living', 'US', 540, 'bad_header'],
] as const) {
  test(`Scrapoxy ${name} is refused on the CONNECT: ${code}`, async () => {
    const [gateway, target] = [await startClientGateway(), await startTargetOf('https')];
    const { id } = await new SessionsClient(gateway.proxyUrl).create();
    const { host } = new URL(target.url);
    const socket = openRaw(gateway.port, scrapoxyConnect(host, session === 'living' ? id : session, region));
    const answer = await readAnswer(socket);
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([status, code]);
    expect(target.connections()).toBe(0);
  });
}

test('Scrapoxy may have a region beside the session where the gateway is told to ignore it', async () => {
  const gateway = await startClientGateway({ sessions: { regionConflict: 'ignore' } });
  const target = await startTargetOf('https');
  const { host } = new URL(target.url);
  const { id } = await new SessionsClient(gateway.proxyUrl).create();
  const connect = scrapoxyConnect(host, id, 'US');
  const wire = await openTunnelWire(gateway, { connect, ca: SELF_SIGNED.cert });
  expect((await get(wire, host)).status).toBe(200);
});
