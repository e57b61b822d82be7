import { describe, expect, test } from 'vitest';

import { ConfigurationError } from '../../src/gateway/option-faults.js';
import { resolveOptions } from '../../src/gateway/options.js';

function resolve(options: object) {
  return resolveOptions({ upstreams: ['direct://'], ...options });
}

describe('what is asked through upstreams', () => {
  for (const [name, options, health, outgoingIps] of [
    ['is nothing by default', {}, { probe: undefined }, { echoUrl: undefined, onChange: 'tell' }],
    [
      'is a URL every 5 minutes and 30 times a minute where one is named',
      { health: { probe: { url: 'http://probe.test' } } },
      { probe: { url: 'http://probe.test/', intervalMs: 300_000, perMinute: 30 } },
      { echoUrl: undefined, onChange: 'tell' },
    ],
    [
      'is as often as it says',
      { health: { probe: { url: 'https://probe.test/up', interval: '90s', perMinute: '7' } } },
      { probe: { url: 'https://probe.test/up', intervalMs: 90_000, perMinute: 7 } },
      { echoUrl: undefined, onChange: 'tell' },
    ],
    [
      'is a service that tells outgoing IPs',
      { outgoingIps: { echoUrl: 'https://echo.test/json', onChange: 'end' } },
      { probe: undefined },
      { echoUrl: 'https://echo.test/json', onChange: 'end' },
    ],
  ] as const) {
    test(name, () => expect(resolve(options)).toMatchObject({ health, outgoingIps }));
  }
});

describe('refused are', () => {
  for (const [name, options, told] of [
    [
      'a probe without a URL',
      { health: { probe: { interval: '1m' } } },
      /health\.probe\.url: nothing is not a URL to ask/,
    ],
    [
      'a URL of another kind',
      { health: { probe: { url: 'ftp://a.test/' } } },
      /health\.probe\.url: .* is not a URL to ask/,
    ],
    [
      'a URL with a password',
      { outgoingIps: { echoUrl: 'http://me:secretpw@a.test/' } },
      /outgoingIps\.echoUrl: .* is not/,
    ],
    [
      'no time at all',
      { health: { probe: { url: 'http://a.test/', interval: 0 } } },
      /interval: 0 is not a duration above 0/,
    ],
    [
      'no budget',
      { health: { probe: { url: 'http://a.test/', perMinute: 0 } } },
      /perMinute: 0 is not a number above 0/,
    ],
    [
      'a name that is nearly one',
      { health: { probe: { url: 'http://a.test/', perMinutes: 1 } } },
      /the nearest is health\.probe\.perMinute/,
    ],
    ['a word that is none', { outgoingIps: { onChange: 'ignore' } }, /write tell or end/],
  ] as const) {
    test(name, () => {
      expect(() => resolve(options)).toThrow(ConfigurationError);
      expect(() => resolve(options)).toThrow(told);
      expect(() => resolve(options)).not.toThrow(/secretpw/);
    });
  }
});
