import { describe, expect, test } from 'vitest';

import { WEIGHT } from '../../src/sessions/breaker.js';
import { type ErrorCode, GatewayError } from '../../src/sessions/errors.js';
import { readFault } from '../../src/upstreams/fault.js';

const { soft, hard } = WEIGHT;
const PROXY = { isOwnAddress: false, isAsked: (host: string) => host === 'echo.example' };
const AT = { host: 'shop.example', exit: undefined };

function doubtOf(host: string) {
  return { weight: soft, isDoubt: true, once: `target ${host}` };
}

describe('a failure whose fault is known', () => {
  for (const [blame, exit, expected] of [
    ['target', undefined, 'alive'],
    ['refused', undefined, { weight: hard, isDoubt: false, once: undefined }],
    ['refused', 'a1', { weight: hard, isDoubt: false, once: undefined }],
    ['unreached', 'a1', { weight: soft, isDoubt: false, once: undefined }],
    ['credentials', undefined, { weight: hard, isDoubt: false, once: undefined }],
    ['credentials', 'a1', { weight: hard, isDoubt: false, once: 'exit a1' }],
    ['failed', undefined, { weight: soft, isDoubt: false, once: undefined }],
    ['failed', 'a1', { weight: soft, isDoubt: false, once: 'exit a1' }],
  ] as const) {
    test(`${blame}, ${exit === undefined ? 'without exits' : 'of an exit'}, counts as it should`, () => {
      const error = new GatewayError('timeout', 'failed', { blame });
      expect(readFault({ ...AT, error, exit }, PROXY)).toEqual(expected);
    });
  }
});

describe('a failure whose fault is not known', () => {
  const doubt = doubtOf('shop.example');
  for (const [code, ofProxy, ofOwnAddress] of [
    ['timeout', doubt, 'alive'],
    ['econnreset', doubt, 'alive'],
    ['socket_closed_remotely', doubt, 'alive'],
    ['send_failed', doubt, 'alive'],
    ['econnrefused', 'alive', 'alive'],
    ['nxdomain', 'alive', 'alive'],
    ['bad_cert', 'alive', 'alive'],
    ['client_conn_closed', 'nothing', 'nothing'],
    ['serverbusy', 'nothing', 'nothing'],
    ['domain_forbidden', 'nothing', 'nothing'],
    ['bad_request', 'nothing', 'nothing'],
    ['request_too_large', 'nothing', 'nothing'],
  ] as const satisfies readonly (readonly [ErrorCode, unknown, unknown])[]) {
    test(`${code} counts as it should`, () => {
      const error = new GatewayError(code, 'failed');
      expect(readFault({ ...AT, error }, PROXY)).toEqual(ofProxy);
      expect(readFault({ ...AT, error }, { ...PROXY, isOwnAddress: true })).toEqual(ofOwnAddress);
    });
  }

  test('counts for nothing where it is no error of the way out', () => {
    expect(readFault({ ...AT, error: new TypeError('a fault of ours') }, PROXY)).toBe('nothing');
  });
});

describe('where the gateway asks by itself', () => {
  for (const [name, code, blame, expected] of [
    ['a CONNECT without an answer is a doubt', 'timeout', 'failed', doubtOf('echo.example')],
    ['a proxy that resets is not', 'econnreset', 'failed', { weight: soft, isDoubt: false, once: undefined }],
    ['nor is one that is not reached', 'timeout', 'unreached', { weight: soft, isDoubt: false, once: undefined }],
  ] as const) {
    test(name, () => {
      const error = new GatewayError(code, 'failed', { blame });
      expect(readFault({ ...AT, host: 'echo.example', error }, PROXY)).toEqual(expected);
    });
  }
});
