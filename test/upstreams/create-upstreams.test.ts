import { inspect } from 'node:util';
import { expect, test } from 'vitest';

import { createUpstream } from '../../src/upstreams/create-upstreams.js';
import { resolveUpstreams } from '../../src/upstreams/upstream-url.js';
import { closeLater, openPolicy } from './open-upstream.js';

const OPTIONS = { policy: openPolicy, connectTimeoutMs: 5_000, responseTimeoutMs: 5_000 };

test('upstreams of a list know who they are, and show nobody their credentials', () => {
  const specs = resolveUpstreams([
    'http://user:secret@proxy.test:1',
    { url: 'socks5h://user:secret@proxy.test:1', name: 'exit', country: 'DE', outgoingIp: '192.0.2.7' },
    { url: 'https://user:secret@proxy.test:2', state: 'NY', city: ' New York ', insecure: true },
    'local://127.0.0.2',
    'direct://',
  ]);
  const upstreams = specs.map((spec) => createUpstream(spec, OPTIONS));
  for (const upstream of upstreams) closeLater(upstream);
  const known = upstreams.map(({ id, name, outgoingIp, country, state, city }) => ({
    id,
    name,
    outgoingIp,
    country,
    state,
    city,
  }));
  expect(known).toEqual([
    { id: 'proxy.test:1', name: 'proxy.test:1', outgoingIp: 'proxy.test:1', country: undefined },
    { id: 'proxy.test:1#2', name: 'exit', outgoingIp: '192.0.2.7', country: 'de' },
    { id: 'proxy.test:2', name: 'proxy.test:2', outgoingIp: 'proxy.test:2', state: 'ny', city: 'new york' },
    { id: '127.0.0.2', name: '127.0.0.2', outgoingIp: '127.0.0.2', country: undefined },
    { id: 'direct', name: 'direct', outgoingIp: 'direct', country: undefined },
  ]);
  expect(inspect(upstreams, { depth: 9 }) + JSON.stringify(upstreams)).not.toContain('secret');
});

test('a fault in one entry creates none', () => {
  expect(() => resolveUpstreams(['direct://', 'ftp://proxy.test'])).toThrow(/^Upstream 2: /);
});
