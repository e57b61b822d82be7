import { expect, test } from 'vitest';

import { readEchoedIp } from '../../src/upstreams/echoed-ip.js';

for (const [name, text, ip] of [
  ['an address alone', '192.0.2.7', '192.0.2.7'],
  ['an address on a line', '192.0.2.7\n', '192.0.2.7'],
  ['an IPv6 address in any spelling', '2001:DB8::0:7', '2001:db8::7'],
  ['an IPv4 address in the form of IPv6', '::ffff:192.0.2.7', '192.0.2.7'],
  ['JSON with ip', '{"ip":"192.0.2.7"}', '192.0.2.7'],
  ['JSON with origin', '{"origin": "192.0.2.7", "url": "x"}', '192.0.2.7'],
  ['JSON with query', '{"status":"success","query":"192.0.2.7"}', '192.0.2.7'],
  ['JSON text', '"192.0.2.7"', '192.0.2.7'],
  ['the last of several, which the service has seen itself', '{"origin":"10.0.0.1, 192.0.2.7"}', '192.0.2.7'],
  ['ip before the others', '{"query":"192.0.2.8","ip":"192.0.2.7"}', '192.0.2.7'],
  ['no number', '12', undefined],
  ['no short spelling', '192.0.519', undefined],
  ['no page', '<html>192.0.2.7</html>', undefined],
  ['nothing of no text', '', undefined],
  ['nothing of another member', '{"address":"192.0.2.7"}', undefined],
  ['nothing of null', 'null', undefined],
  ['nothing of a list', '["192.0.2.7"]', undefined],
  ['nothing of a member that is no text', '{"ip":7}', undefined],
] as const) {
  test(`reads ${name}`, () => expect(readEchoedIp(text)).toBe(ip));
}
