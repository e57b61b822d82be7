// A user without a home directory, as containers have: an ID without a line in passwd, and no HOME.

import { homedir } from 'node:os';
import path from 'node:path';

import { beforeEach, expect, test, vi } from 'vitest';

import { resolveOptions } from '../../src/gateway/options.js';

vi.mock(import('node:os'), async (original) => ({ ...(await original()), homedir: vi.fn<() => string>() }));

beforeEach(() => {
  vi.mocked(homedir).mockImplementation(() => {
    throw new Error('A system error occurred: uv_os_homedir returned ENOENT (no such file or directory)');
  });
});

const WITH_UPSTREAM = { upstreams: ['direct://'] };

test('the options are good all the same, without a data directory', () => {
  expect(resolveOptions(WITH_UPSTREAM)).toMatchObject({ port: 8011, dataDir: undefined });
  expect(resolveOptions({ ...WITH_UPSTREAM, dataDir: '~/data' }).dataDir).toBeUndefined();
});

test('an empty HOME is no home directory', () => {
  vi.mocked(homedir).mockReturnValue('');
  expect(resolveOptions(WITH_UPSTREAM).dataDir).toBeUndefined();
});

test('a data directory elsewhere needs no home', () => {
  expect(resolveOptions({ ...WITH_UPSTREAM, dataDir: 'data' }).dataDir).toBe(path.resolve('data'));
});
