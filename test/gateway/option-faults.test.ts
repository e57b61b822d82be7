import { describe, expect, test } from 'vitest';

import { ConfigurationError } from '../../src/gateway/option-faults.js';
import { OPTIONS_OF_LATER_VERSIONS } from '../../src/gateway/option-schema.js';
import { assertGatewayOptions } from '../../src/gateway/options.js';

const KEY = '0123456789abcdef';
const WITH_UPSTREAM = { upstreams: ['direct://'] };

function a(url: string): { url: string; name: string } {
  return { url, name: 'a' };
}

/** Options as a file may hold them: of any shape. */
function refusalOf(options: unknown, originOf?: Parameters<typeof assertGatewayOptions>[1]): ConfigurationError {
  try {
    assertGatewayOptions(options, originOf);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('The options were taken');
}

describe('what is refused', () => {
  for (const [options, faultPath, told] of [
    [{ host: 'http://user:hunter2@h' }, 'host', '"http://***@h" is not a host name'],
    [{ host: '' }, 'host', 'is not a host name'],
    [{ port: 65_536 }, 'port', '65536 is not a port; write a number from 0 to 65535'],
    [{ port: -1 }, 'port', '-1 is not a port'],
    [{ port: '80a' }, 'port', '"80a" is not a port'],
    [{ port: 80.5 }, 'port', '80.5 is not a port'],
    [{ apiKeys: ['short'] }, 'apiKeys[0]', '8 to 128 of the characters'],
    [{ apiKeys: [12_345_678] }, 'apiKeys[0]', 'this is a number, and an API key is a text; put it in quotes'],
    [{ apiKeys: KEY }, 'apiKeys', 'this is not a list'],
    [{ delays: { default: '12 parsecs' } }, 'delays.default', '"12 parsecs" is not a duration; write 250ms, 12s'],
    [{ delays: { scope: 'domain' } }, 'delays.scope', '"domain" is not one of the words for it; write ip or ip+domain'],
    [{ delays: { domains: { 'http://a.b': 1 } } }, 'delays.domains.http://a.b', 'is not a domain name'],
    [{ delays: { domains: { 'a.b': 'x' } } }, 'delays.domains.a.b', '"x" is not a duration'],
    [{ delays: { domains: { 'a.b': 1, '*.A.b.': 2 } } }, 'delays.domains.*.A.b.', 'the delay of a.b is given a second'],
    [{ delays: { domains: ['a.b'] } }, 'delays.domains', 'a list is not a map'],
    [{ delays: { refusedRaise: 'yes' } }, 'delays.refusedRaise', '"yes" is not a truth value; write true or false'],
    [{ delays: { softLimit: '1001s' } }, 'delays.softLimit', '1001s is above delays.hardLimit, 1000s'],
    [{ delays: { maxHold: '1h' } }, 'delays.maxHold', '3600s is above delays.hardLimit, 1000s; lower it, or raise'],
    [{ delays: '12s' }, 'delays', '"12s" is not a map of options'],
    [{ sessions: { ttl: 0 } }, 'sessions.ttl', '0 is not a duration above 0'],
    [{ sessions: { max: 0 } }, 'sessions.max', '0 is not a number above 0'],
    [{ bans: { cooldown: null } }, 'bans.cooldown', 'nothing is not a duration'],
    [{ timeouts: { connect: '0s' } }, 'timeouts.connect', '"0s" is not a duration above 0'],
    [{ timeouts: { response: 0 } }, 'timeouts.response', '0 is not a duration above 0'],
    [{ limits: { requestBytes: '5XB' } }, 'limits.requestBytes', '"5XB" is not a size above 0; write 64KB, 100MB'],
    [{ limits: { requestBytes: 0 } }, 'limits.requestBytes', '0 is not a size above 0'],
    [{ publicHosts: ['a b'] }, 'publicHosts[0]', '"a b" is not a host name'],
    [{ dataDir: ' ' }, 'dataDir', 'is not a text'],
    [{ store: 'file' }, 'store', 'this version keeps sessions in memory only'],
    [{ store: 'redis://:hunter2@host' }, 'store', '"redis://***@host"'],
    [{ log: { level: 'verbose' } }, 'log.level', 'trace, debug, info, warn, error or silent'],
    [{ log: { format: 'xml' } }, 'log.format', 'write pretty or json'],
    [{ upstreams: [{}] }, 'upstreams[0].url', 'write the URL of the upstream'],
    [{ upstreams: 'direct://' }, 'upstreams', 'this is not a list'],
    [{ upstreams: [{ url: 'direct://', country: 'usa' }] }, 'upstreams[0].country', 'two letters'],
    [{ upstreams: ['direct://', 'ftp://u:hunter2@h'] }, 'upstreams[1]', 'ftp://***@h is no kind of upstream'],
    [{ upstreams: [{ url: 'http://u:hunter2@' }] }, 'upstreams[0].url', 'has no valid host and port'],
    [{ upstreams: [5] }, 'upstreams[0]', 'is not a map of options'],
    [{ upstreams: [{ url: 'direct://', outgoingIp: 'x' }] }, 'upstreams[0].outgoingIp', '"x" is not an IP address'],
    [
      { upstreams: [{ url: 'direct://', weight: 0 }] },
      'upstreams[0].weight',
      '0 is not a weight; write a number above 0',
    ],
    [
      { upstreams: [{ url: 'direct://', vendor: 'acme' }] },
      'upstreams[0].vendor',
      'brightdata, oxylabs, decodo, iproyal or',
    ],
    [{ upstreams: [{ url: 'direct://', sticky: 5 }] }, 'upstreams[0].sticky', 'this is not a map of options'],
    [{ upstreams: ['http://{x}:hunter2@h'] }, 'upstreams[0]', 'none of {session}, {minutes} and {country}'],
    [{ upstreams: ['http://{session}-{country}:hunter2@h'] }, 'upstreams', 'Upstream 1: h:80: {country} stands for'],
    [{ upstreams: ['local://192.0.2.1,x'] }, 'upstreams[0]', 'needs an address of this machine'],
    [{ upstreams: [a('direct://'), a('local://127.0.0.2')] }, 'upstreams', 'Two upstreams are named a'],
    [{ upstreams: [] }, 'upstreams', '--upstream http://user:password@host:port'],
  ] as const) {
    test(`${JSON.stringify(options)} is refused at ${faultPath}`, () => {
      const { faults } = refusalOf({ ...WITH_UPSTREAM, ...options });
      expect(faults.map((fault) => fault.path)).toEqual([faultPath]);
      expect(faults[0]?.message).toContain(told);
    });
  }

  test('no upstream at all, and how to give one is told', () => {
    const { message } = refusalOf({});
    expect(message).toContain('no upstream');
    expect(message).toContain('--upstream');
    expect(message).toContain('SESSION_PROXY_UPSTREAMS');
  });

  for (const notOptions of [undefined, null, 5, 'direct://', []]) {
    test(`${JSON.stringify(notOptions)} in place of options`, () => {
      expect(refusalOf(notOptions).message).toContain('is not a map of options');
    });
  }
});

describe('unknown names', () => {
  for (const [options, faultPath, nearest] of [
    [{ delays: { defualt: 1 } }, 'delays.defualt', 'delays.default'],
    [{ apikeys: [KEY] }, 'apikeys', 'apiKeys'],
    [{ 'max-sessions': 5, upstream: 'x' }, 'max-sessions', 'sessions'],
    [{ ttl: '30m' }, 'ttl', 'sessions.ttl'],
    [{ upstreams: [{ url: 'direct://', nmae: 'x' }] }, 'upstreams[0].nmae', 'upstreams[0].name'],
    [{ upstreams: [{ url: 'direct://', wieght: 2 }] }, 'upstreams[0].wieght', 'upstreams[0].weight'],
    [
      { upstreams: [{ url: 'direct://', sticky: { len: 2 } }] },
      'upstreams[0].sticky.len',
      'upstreams[0].sticky.length',
    ],
    [{ log: { levle: 'info' } }, 'log.levle', 'log.level'],
  ] as const) {
    test(`${faultPath} is refused with ${nearest}`, () => {
      const fault = refusalOf({ ...WITH_UPSTREAM, ...options }).faults.find((one) => one.path === faultPath);
      expect(fault?.message).toBe(`no option has this name; the nearest is ${nearest}`);
    });
  }

  for (const name of OPTIONS_OF_LATER_VERSIONS) {
    test(`${name} is refused as not in this version`, () => {
      const { faults } = refusalOf(optionsWith(name));
      expect(faults).toHaveLength(1);
      expect(faults[0]?.message).toContain('not in this version');
    });
  }
});

describe('a refusal', () => {
  test('lists all faults, of whatever kind, together', () => {
    const { faults } = refusalOf({
      prot: 80,
      workers: 2,
      port: 'x',
      delays: { default: 'x', maxHold: '2h', domains: { 'a b': 'x', 'a.b': 'y' } },
      sessions: { ttl: 0 },
    });
    expect(faults.map((fault) => fault.path).toSorted()).toEqual([
      'delays.default',
      'delays.domains.a b',
      'delays.domains.a b',
      'delays.domains.a.b',
      'delays.maxHold',
      'port',
      'prot',
      'sessions.ttl',
      'upstreams',
      'workers',
    ]);
  });

  test('names where a value came from, if that is known', () => {
    const { message } = refusalOf({ ...WITH_UPSTREAM, port: 'x', host: '?' }, ([name]) =>
      name === 'port' ? 'SESSION_PROXY_PORT' : undefined,
    );
    expect(message).toContain('port (from SESSION_PROXY_PORT): "x" is not a port');
    expect(message).toContain('host: "?" is not');
  });

  test('shows no API key and no password', () => {
    const { message } = refusalOf({
      apiKeys: ['hunter2'],
      upstreams: [{ url: 'http://user:hunter2@h:1', country: 'http://user:hunter2@h' }],
      upstream: 'http://user:hunter2@h:1',
      store: 'redis://user:hun/ter2@hunter2@h',
      'http://user:hunter2@h': 1,
    });
    expect(message).not.toMatch(/hunter2|ter2/);
  });
});

function optionsWith(name: string): unknown {
  const [section = '', member] = name.split('.');
  if (member === undefined) return { ...WITH_UPSTREAM, [section]: 'x' };
  if (section === 'upstreams[]') return { upstreams: [{ url: 'direct://', [member]: 'x' }] };
  return { ...WITH_UPSTREAM, [section]: { [member]: 'x' } };
}
