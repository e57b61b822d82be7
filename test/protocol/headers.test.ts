import { describe, expect, test } from 'vitest';
import { isHopByHop, isProtocolHeader } from '../../src/protocol/header-names.js';
import { connectionOptionsOf, fieldsOf, valuesOf } from '../../src/protocol/raw-headers.js';
import { VERSION } from '../../src/protocol/version.js';
import { wireSeconds, WIRE_ERRORS } from '../../src/protocol/wire-errors.js';

const raw = ['A', '1', 'b', '2', 'a', '3', 'Connection', 'keep-alive, X-One', 'connection', ' x-two ,, '];

test('fields are read in order, and found in any case', () => {
  expect([...fieldsOf(raw)].slice(0, 3)).toEqual([
    ['A', '1'],
    ['b', '2'],
    ['a', '3'],
  ]);
  expect(valuesOf(raw, 'a')).toEqual(['1', '3']);
  expect(valuesOf(raw, 'c')).toEqual([]);
});

test('the names that Connection lists end at this hop', () => {
  expect(connectionOptionsOf(raw)).toEqual(new Set(['keep-alive', 'x-one', 'x-two']));
  expect(isHopByHop('x-one', connectionOptionsOf(raw))).toBe(true);
  expect(isHopByHop('x-three', connectionOptionsOf(raw))).toBe(false);
  expect(isHopByHop('proxy-authorization', new Set())).toBe(true);
});

test('everything with our prefixes is ours, known or not', () => {
  for (const name of ['x-crawlera-session', 'x-crawlera-nonsense', 'zyte-session-id'])
    expect(isProtocolHeader(name)).toBe(true);
  for (const name of ['x-crawler', 'cookie', 'authorization']) expect(isProtocolHeader(name)).toBe(false);
});

describe('errors on the wire', () => {
  test('have a reason phrase and a status of an error', () => {
    for (const { status, reason } of Object.values(WIRE_ERRORS)) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(reason).toMatch(/^[A-Z]/);
    }
  });

  test('echo the session only where it is dead', () => {
    const echoing = Object.entries(WIRE_ERRORS).filter(([, { echoesSession }]) => echoesSession);
    expect(echoing.map(([code]) => code)).toEqual(['bad_session_id', 'banned']);
  });

  for (const [milliseconds, seconds] of [
    [0, 0],
    [1, 1],
    [1000, 1],
    [1001, 2],
    [912_000, 912],
  ] as const) {
    test(`tell ${milliseconds} ms as ${seconds} s`, () => expect(wireSeconds(milliseconds)).toBe(seconds));
  }
});

test('the version is that of the package', () => expect(VERSION).toMatch(/^\d+\.\d+\.\d+/));
