import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { expect, test } from 'vitest';

import { apiKeyFileIn, openApiKey, readApiKey } from '../../src/cli/api-key-file.js';
import { createHome } from './run-cli.js';

test('many at once end with one key, and one of them made it', async () => {
  const dataDir = path.join(await createHome(), 'deep', 'data');
  const opened = await Promise.all(Array.from({ length: 30 }, () => openApiKey(dataDir)));
  expect(new Set(opened.map(({ apiKey }) => apiKey)).size).toBe(1);
  expect(opened.filter(({ isNew }) => isNew)).toHaveLength(1);
  expect(await readdir(dataDir)).toEqual(['api-key']);
  expect(await readApiKey(dataDir)).toBe(opened[0]?.apiKey);
});

test('a key that is there is taken, with whatever blanks an editor left', async () => {
  const dataDir = await createHome();
  await writeFile(apiKeyFileIn(dataDir), ' my-own-key\r\n');
  expect(await openApiKey(dataDir)).toEqual({ apiKey: 'my-own-key', isNew: false });
});

test('a file that holds no key is refused, not repeated and not written over', async () => {
  const dataDir = await createHome();
  await writeFile(apiKeyFileIn(dataDir), 'short');
  await expect(openApiKey(dataDir)).rejects.toMatchObject({
    exitCode: 1,
    message: `The file ${apiKeyFileIn(dataDir)} does not hold an API key; delete it, and the next start makes one`,
  });
  expect(await readFile(apiKeyFileIn(dataDir), 'utf8')).toBe('short');
});

test('a directory without a key has none', async () => {
  expect(await readApiKey(await createHome())).toBeUndefined();
  expect(await readApiKey('/no/such/directory')).toBeUndefined();
});

test.runIf(existsSync('/proc/self'))('a place where no directory can be made is told at once', async () => {
  for (const dataDir of ['/proc/nope', '/proc/nope/deeper']) {
    // oxlint-disable-next-line no-await-in-loop
    await expect(openApiKey(dataDir)).rejects.toMatchObject({
      exitCode: 1,
      message: `No API key could be kept in ${dataDir}: ENOENT; give a directory that can be written to with --data-dir`,
    });
  }
});

test('directories that are made are for this user alone', async () => {
  const home = await createHome();
  await openApiKey(path.join(home, 'deep', 'data'));
  for (const made of ['deep', path.join('deep', 'data')]) {
    // oxlint-disable-next-line no-await-in-loop
    expect((await stat(path.join(home, made))).mode & 0o777).toBe(0o700);
  }
});

test('a place where nothing can be kept is told', async () => {
  const home = await createHome();
  await writeFile(path.join(home, 'file'), '');
  await expect(openApiKey(path.join(home, 'file', 'data'))).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining('ENOTDIR'),
  });
  await mkdir(path.join(home, 'api-key'));
  await expect(openApiKey(home)).rejects.toThrow('EISDIR');
});
