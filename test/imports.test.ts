// Holds the table of who may import whom against the imports there are.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Per folder: the folders it may import, and the packages. `node:` is free unless a folder is listed as pure. */
const TABLE: Readonly<Record<string, { readonly folders: readonly string[]; readonly packages: readonly string[] }>> = {
  sessions: { folders: [], packages: [] },
  protocol: { folders: ['sessions'], packages: ['fastest-levenshtein'] },
  stores: { folders: ['sessions'], packages: [] },
  upstreams: { folders: ['sessions'], packages: ['ipaddr.js', 'socks', 'tldts'] },
  gateway: {
    folders: ['sessions', 'protocol', 'stores', 'upstreams'],
    packages: [
      '@hono/node-server',
      '@peculiar/x509',
      'fastest-levenshtein',
      'header-generator',
      'hono',
      'ipaddr.js',
      'pino',
      'pino-pretty',
      'proxy-chain',
      'reflect-metadata',
      'tough-cookie',
      'zod',
    ],
  },
  client: { folders: ['protocol'], packages: [] },
  crawlee: { folders: ['client', 'protocol'], packages: ['@crawlee/core', 'fastest-levenshtein', 'got-scraping'] },
  crawlee4: { folders: ['client', 'protocol', 'crawlee'], packages: ['tough-cookie'] },
  cli: { folders: ['gateway', 'client'], packages: ['commander', 'yaml'] },
  '.': { folders: ['crawlee'], packages: [] },
};

/** The one place that may load the gateway, and only when it is asked to launch one. */
const LAUNCH = { from: 'crawlee', to: 'gateway' };

const PURE = new Set(['sessions']);

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

function importsOf(
  file: string,
): { readonly specifier: string; readonly isDynamic: boolean; readonly isType: boolean }[] {
  const text = readFileSync(path.join(SRC, file), 'utf8');
  const found = text.matchAll(
    /^(?:import|export)(?<type> type)?(?:[^'";]*?from)? '(?<name>[^']+)'|import\('(?<dynamic>[^']+)'\)/gm,
  );
  return [...found].map(({ groups }) => ({
    specifier: groups?.['name'] ?? groups?.['dynamic'] ?? '',
    isDynamic: groups?.['dynamic'] !== undefined,
    isType: groups?.['type'] !== undefined,
  }));
}

function folderOf(file: string): string {
  const [first, ...rest] = path.normalize(file).split(path.sep);
  return rest.length === 0 || first === undefined ? '.' : first;
}

function offencesOf(file: string): string[] {
  const folder = folderOf(file);
  const allowed = TABLE[folder];
  if (allowed === undefined) return [`${file} is in a folder that the table does not know`];
  return importsOf(file).flatMap(({ specifier, isDynamic, isType }) => {
    if (specifier.startsWith('node:')) return PURE.has(folder) ? [`${file} imports ${specifier}`] : [];
    if (!specifier.startsWith('.')) {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      return allowed.packages.includes(name) ? [] : [`${file} imports package ${specifier}`];
    }
    const target = folderOf(path.join(path.dirname(file), specifier));
    if (target === folder || allowed.folders.includes(target)) return [];
    if (folder === LAUNCH.from && target === LAUNCH.to && (isDynamic || isType)) return [];
    return [`${file} imports ${specifier}`];
  });
}

describe('imports go downward', () => {
  test('there are files to look at, and imports in them', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(files.flatMap((file) => importsOf(file)).length).toBeGreaterThan(100);
  });

  for (const folder of Object.keys(TABLE)) {
    test(`those of src/${folder} stay inside the table`, () => {
      expect(files.filter((file) => folderOf(file) === folder).flatMap((file) => offencesOf(file))).toEqual([]);
    });
  }

  test('no folder is missing in the table', () => {
    expect(files.map((file) => folderOf(file)).filter((folder) => TABLE[folder] === undefined)).toEqual([]);
  });

  test('only one file knows proxy-chain', () => {
    const knowing = files.filter((file) => importsOf(file).some(({ specifier }) => specifier === 'proxy-chain'));
    expect(knowing).toEqual([path.join('gateway', 'proxy-server.ts')]);
  });

  test('the wall clock is read in one file', () => {
    const reading = files.filter((file) =>
      /\bDate\.now\(|\btimeOrigin\b/.test(readFileSync(path.join(SRC, file), 'utf8')),
    );
    expect(reading).toEqual([path.join('stores', 'clock.ts')]);
  });
});
