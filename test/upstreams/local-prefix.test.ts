import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import { isInPrefix } from '../../src/upstreams/address-prefix.js';
import type { Exits } from '../../src/upstreams/upstream.js';
import { createHttpTarget } from '../support/target-http.js';
import { createRawTarget } from '../support/target-raw.js';
import { closeLater, dial, failureOf, never, openUpstream, send } from './open-upstream.js';
import { describeUpstreamContract } from './upstream-contract.js';
import { createTargetPolicy } from '../../src/upstreams/target-policy.js';

const PREFIX = { network: '127.0.4.0', bits: 24 };
const STALLED = createTargetPolicy({ allowPrivate: true, isOwnAddress: () => false, dnsLookup: () => {} });

function openExits(url = 'local://127.0.4.0/24'): Exits {
  const { exits } = openUpstream(url);
  if (exits === undefined) throw new Error('expected exits');
  return exits;
}

function throughOne(...given: Parameters<typeof openUpstream>) {
  const { exits } = openUpstream(...given);
  if (exits === undefined) throw new Error('expected exits');
  return exits.through(exits.draw('a session').exit);
}

describeUpstreamContract('an address of local://127.0.4.0/24', {
  open: async (options) => throughOne('local://127.0.4.0/24', options),
  openStalled: async (options) => ({
    upstream: throughOne('local://127.0.4.0/24', { policy: STALLED, ...options }),
    target: { host: 'example.test', port: 80 },
  }),
});

describe('a prefix of addresses', () => {
  test('gives each session one of them, which targets see', async () => {
    const target = closeLater(await createHttpTarget());
    const exits = openExits();
    const drawn = ['1000001', '1000002', '1000003', '1000001'].map((seed) => exits.draw(seed));
    for (const { exit } of drawn) await text(await send(exits.through(exit), target));
    expect(target.seen.map(({ remoteAddress }) => remoteAddress)).toEqual(drawn.map(({ exit }) => exit));
    expect(new Set(drawn.map(({ exit }) => exit)).size).toBe(3);
    expect(drawn.every(({ exit, outgoingIp }) => outgoingIp === exit && isInPrefix(exit, PREFIX))).toBe(true);
  });

  test('says of each exit what its outgoing IP is', () => {
    const upstream = openUpstream({ url: 'local://127.0.4.0/24', name: 'block', country: 'nl', weight: 3 });
    const { exit } = upstream.exits?.draw('one') ?? { exit: '' };
    const known = { id: '127.0.4.0/24', name: 'block', country: 'nl', weight: 3 };
    expect(upstream).toMatchObject({ ...known, outgoingIp: '127.0.4.0/24' });
    expect(upstream.exits?.through(exit)).toMatchObject({ ...known, outgoingIp: exit });
  });

  test('shares an outgoing IP with a single address in it', () => {
    const { exit, outgoingIp } = openExits().draw('one');
    expect(outgoingIp).toBe(openUpstream(`local://${exit}`).outgoingIp);
  });

  test('sends what is of no session from a fresh one each time', async () => {
    const target = closeLater(await createHttpTarget());
    const upstream = openUpstream('local://127.0.4.0/24');
    for (let times = 0; times < 12; times += 1) await text(await send(upstream, target));
    const seen = new Set(target.seen.map(({ remoteAddress }) => remoteAddress));
    // That twelve draws of 254 hit three or fewer happens once in 10^19 times.
    expect(seen.size).toBeGreaterThan(3);
    expect([...seen].filter((address) => !isInPrefix(address, PREFIX))).toEqual([]);
    await dial(upstream, target);
  });

  test('does not leave from an address that is not in it', () => {
    const exits = openExits();
    expect(() => exits.through('127.0.5.1')).toThrow('127.0.5.1 is no address of 127.0.4.0/24 any more');
  });

  for (const [url, host, commands] of [
    ['local://198.51.100.0/24', '127.0.0.1', 'ip route add local 198.51.100.0/24 dev lo'],
    [
      'local://2001:db8:99::/64',
      '::1',
      'ip -6 route add local 2001:db8:99::/64 dev lo, and sysctl net.ipv6.ip_nonlocal_bind=1',
    ],
  ] as const) {
    test(`that this machine does not have (${url}) is send_failed and says what to do`, async () => {
      const exits = openExits(url);
      const { exit } = exits.draw('one');
      const error = await failureOf(exits.through(exit).dial({ host, port: 80 }, never()));
      expect(error).toMatchObject({ code: 'send_failed' });
      expect(error.message).toContain(`from ${exit} failed: the address to leave from is not one of this machine`);
      expect(error.message).toContain(`; to leave from any of its addresses: ${commands}`);
    });
  }

  test('says nothing of routes where the target is what fails', async () => {
    const target = await createRawTarget();
    await target.close();
    const error = await failureOf(
      throughOne('local://127.0.4.0/24').dial({ host: '127.0.0.1', port: target.port }, never()),
    );
    expect(error).toMatchObject({ code: 'econnrefused' });
    expect(error.message).not.toContain('ip route');
  });
});
