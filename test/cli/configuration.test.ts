import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { describe, expect, test } from 'vitest';

import { loadConfiguration, loadConfigurationOfClient } from '../../src/cli/configuration.js';
import { createHome } from './run-cli.js';

const KEY = 'configured-key';

/** Loads what flags, environment and a file `session-proxy.yaml` give together. */
async function load(given: {
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly file?: string;
}): ReturnType<typeof loadConfiguration> {
  const { flags = {}, environment = {}, file } = given;
  const workingDirectory = await createHome();
  if (file !== undefined) await writeFile(path.join(workingDirectory, 'session-proxy.yaml'), file);
  return loadConfiguration({ flags, environment, workingDirectory });
}

describe('where values come from', () => {
  const file = 'upstreams: [direct://]\nport: 1\ndelays: { default: 1s, maxHold: 60s }\n';

  for (const [name, given, port] of [
    ['a flag beats all', { flags: { port: '3' }, environment: { SESSION_PROXY_PORT: '2' }, file }, 3],
    ['a variable beats the file', { environment: { SESSION_PROXY_PORT: '2' }, file }, 2],
    ['an empty variable is none', { environment: { SESSION_PROXY_PORT: ' ' }, file }, 1],
    ['the file beats the default', { file }, 1],
    ['otherwise it is the default', { flags: { upstream: ['direct://'] } }, 8011],
  ] as const) {
    test(name, async () => expect((await load(given)).resolved.port).toBe(port));
  }

  test('a flag changes one option of a section and leaves the others', async () => {
    const { resolved } = await load({ flags: { delay: '2s' }, file });
    expect(resolved.rules.delays).toMatchObject({ defaultMs: 2_000, maxHoldMs: 60_000 });
  });

  test('variables that are lists have commas between their parts', async () => {
    const { resolved } = await load({
      environment: {
        SESSION_PROXY_UPSTREAMS: 'direct://, local://127.0.0.2,',
        SESSION_PROXY_API_KEYS: `${KEY},another-key`,
      },
    });
    expect(resolved.upstreams).toEqual([{ url: 'direct://' }, { url: 'local://127.0.0.2' }]);
    expect(resolved.apiKeys).toEqual([KEY, 'another-key']);
  });

  test('a comma that no URL follows is part of an upstream', async () => {
    for (const [written, urls] of [
      ['local://127.0.0.2,127.0.0.3', ['local://127.0.0.2,127.0.0.3']],
      ['local://127.0.0.2, 127.0.0.3 ,direct://', ['local://127.0.0.2, 127.0.0.3', 'direct://']],
      [
        'http://groups-A,country-US:p,ss@h.test:1,SOCKS5://u:p@h.test,,',
        ['http://groups-A,country-US:p,ss@h.test:1', 'SOCKS5://u:p@h.test'],
      ],
      [', ,direct://,,local://127.0.0.2', ['direct://', 'local://127.0.0.2']],
    ] as const) {
      const { resolved } = await load({ environment: { SESSION_PROXY_UPSTREAMS: written } });
      expect(resolved.upstreams).toEqual(urls.map((url) => ({ url })));
    }
  });

  test('a list of a flag stands in place of the one in the file', async () => {
    const { resolved } = await load({ flags: { upstream: ['local://127.0.0.2'] }, file });
    expect(resolved.upstreams).toEqual([{ url: 'local://127.0.0.2' }]);
  });

  test('upstreams may be in a file alone', async () => {
    const { resolved } = await load({ flags: { upstreamsFile: 'proxies.txt' } });
    expect(resolved).toMatchObject({ upstreams: [], upstreamsFile: 'proxies.txt' });
    await expect(load({ flags: { upstreamsFile: 'ftp://me:hunter2@host/list' } })).rejects.toThrow(
      'upstreamsFile (from --upstreams-file): this is no place of a list',
    );
  });

  test('a section that is no map is refused, whatever a flag puts in it', async () => {
    await expect(load({ flags: { delay: '2s' }, file: 'upstreams: [direct://]\ndelays: 12s\n' })).rejects.toThrow(
      'delays (from session-proxy.yaml): "12s" is not a map of options',
    );
  });

  test('a client of a gateway needs no upstream, but good options', async () => {
    const input = { flags: {}, environment: {}, workingDirectory: await createHome() };
    expect((await loadConfigurationOfClient(input)).resolved.port).toBe(8011);
    await expect(loadConfigurationOfClient({ ...input, flags: { port: 'x' } })).rejects.toThrow('"x" is not a port');
  });
});

describe('the file', () => {
  for (const [name, text] of [
    ['YAML', '# ours\nupstreams:\n  - direct://\nport: 5\n'],
    ['JSON', '{\n\t"upstreams": ["direct://"],\n\t"port": 5\n}'],
  ] as const) {
    test(`may be ${name}, under any name`, async () => {
      const workingDirectory = await createHome();
      await writeFile(path.join(workingDirectory, 'a.conf'), text);
      for (const input of [
        { flags: { config: 'a.conf' }, environment: {} },
        { flags: {}, environment: { SESSION_PROXY_CONFIG: path.join(workingDirectory, 'a.conf') } },
      ]) {
        // oxlint-disable-next-line no-await-in-loop
        expect((await loadConfiguration({ ...input, workingDirectory })).resolved.port).toBe(5);
      }
    });
  }

  test('may hold nothing but comments', async () => {
    expect((await load({ flags: { upstream: ['direct://'] }, file: '# nothing yet\n' })).resolved.port).toBe(8011);
  });

  for (const [name, file, told] of [
    ['a list', '- direct://\n', 'a list is not a map of options'],
    [
      'a fault of syntax',
      'port: 1\nupstreams: [direct://\nhost: x\n',
      'session-proxy.yaml has a fault at line 3, column 1',
    ],
    ['a key without quotes that is a number', 'apiKeys: [12345678]\n', 'this is a number, and an API key is a text'],
    ['a name given twice', 'port: 1\nport: 2\n', 'line 2, column 1: Map keys must be unique'],
    ['an alias of nothing', 'apiKeys: [*hunter2]\n', 'an alias (*name) of nothing'],
    ['a tag', 'apiKeys: [!hunter2 x]\n', 'line 1, column 11: Unresolved tag'],
    ['text after a value', '- a\n"hunter2": 1\n', 'has a fault at line 2'],
  ] as const) {
    test(`with ${name} is refused, and quotes nothing that may be secret`, async () => {
      const refused = load({ file });
      await expect(refused).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining(told) });
      await expect(refused).rejects.not.toThrow('hunter2');
    });
  }
});
