import { expect, test } from 'vitest';
import { isHopByHop, isProtocolHeader } from '../../src/protocol/header-names.js';
import { connectionOptionsOf, fieldsOf, transferCodingsOf, valuesOf } from '../../src/protocol/raw-headers.js';
import { VERSION } from '../../src/protocol/version.js';

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

test('the transfer codings of a message are listed in order, in lower case', () => {
  expect(transferCodingsOf(['Transfer-Encoding', 'GZIP, chunked'])).toEqual(['gzip', 'chunked']);
  expect(transferCodingsOf(raw)).toEqual([]);
});

test('everything with our prefixes is ours, known or not', () => {
  for (const name of ['x-crawlera-session', 'x-crawlera-nonsense', 'zyte-session-id'])
    expect(isProtocolHeader(name)).toBe(true);
  for (const name of ['x-crawler', 'cookie', 'authorization']) expect(isProtocolHeader(name)).toBe(false);
});

test('the version is that of the package', () => expect(VERSION).toMatch(/^\d+\.\d+\.\d+/));
