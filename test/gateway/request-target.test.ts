import { expect, test } from 'vitest';
import { readRequestTarget } from '../../src/gateway/request-target.js';

const own = (host: string, port: number): boolean => host === 'gateway.test' && port === 8011;

/** Each is read twice: an origin that was read before is found by its spelling. */
for (const [url, authority, path, isSecure] of [
  ['http://a.test/x?q=http://b.test/', 'a.test', '/x?q=http://b.test/', false],
  ['http://a.test/x#y', 'a.test', '/x', false],
  ['http://a.test', 'a.test', '/', false],
  ['http://a.test?q=/z', 'a.test', '/?q=/z', false],
  ['http://a.test#/z', 'a.test', '/', false],
  ['HTTP://A.test:80/', 'A.test:80', '/', false],
  ['http://a.test:/x', 'a.test:', '/x', false],
  ['http://user:pass@a.test/x', 'a.test', '/x', false],
  ['https://a.test/x', 'a.test', '/x', true],
  ['http://gateway.test:8011/other', 'gateway.test:8011', '/other', false],
] as const) {
  test(`${url} is ${path} of ${authority}, at first and again`, () => {
    for (const round of [1, 2]) {
      const { target, ...read } = { target: undefined, ...readRequestTarget(url, own) };
      expect([round, read]).toEqual([round, { kind: 'target', authority, path, isSecure }]);
      expect(target).toMatchObject({ port: isSecure ? 443 : authority.endsWith('8011') ? 8011 : 80 });
    }
  });
}

test('one origin is one target, so that it is held against the rules once', () => {
  const [first, second, third] = ['http://one.test/a', 'http://one.test/b', 'http://u@one.test/c'].map((url) =>
    readRequestTarget(url, own),
  );
  if (first?.kind !== 'target' || second?.kind !== 'target' || third?.kind !== 'target') throw new Error('No targets');
  expect([second.target === first.target, third.target === first.target]).toEqual([true, true]);
});

test('the API is found behind an origin that was read before', () => {
  for (const path of ['/other', '/sessions/1', '/other', '/sessions'])
    expect(readRequestTarget(`http://gateway.test:8011${path}`, own).kind).toBe(path === '/other' ? 'target' : 'api');
});

test('what names no target is refused each time', () => {
  for (const url of ['http://', 'http:///x', 'ftp://a.test/', 'a.test', 'http://a b/'])
    for (const round of [1, 2]) expect([url, round, readRequestTarget(url, own).kind]).toEqual([url, round, 'bad']);
});
