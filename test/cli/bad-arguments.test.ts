import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { expect, test } from 'vitest';

import { createHome, runCli } from './run-cli.js';

for (const [name, args, told] of [
  ['no command', [], 'Usage: session-proxy'],
  ['an unknown command', ['serv'], "unknown command 'serv'"],
  ['an unknown flag', ['serve', '--workers', '2'], "unknown option '--workers'"],
  ['a flag without its value', ['serve', '--port'], 'argument missing'],
  ['an argument too many', ['key', 'x'], 'too many arguments'],
  ['no upstream', ['serve'], 'give one or more as --upstream http://user:password@host:port'],
  [
    'a missing list of upstreams',
    ['serve', '--upstreams-file', 'gone.txt', '--port', '0', '--api-key', 'a-key-for-this-test'],
    'gone.txt could not be read: there is no such file',
  ],
  ['a bad value', ['serve', '--upstream', 'direct://', '--port', 'x'], 'port (from --port): "x" is not a port'],
  ['the file store', ['serve', '--upstream', 'direct://', '--store', 'file'], 'keeps sessions in memory only'],
  ['a missing configuration', ['serve', '--config', 'gone.yaml'], 'gone.yaml could not be read: there is no such file'],
  ['a directory as configuration', ['serve', '--config', '.'], 'could not be read: EISDIR'],
  ['a session and --all', ['sessions', 'delete', '1', '--all'], 'either the ID of a session or --all'],
  ['neither a session nor --all', ['sessions', 'delete'], 'either the ID of a session or --all'],
  ['a URL without a key', ['sessions', 'list', '--url', 'http://127.0.0.1:1'], '--url: The URL of the gateway'],
  ['a URL beside a port', ['sessions', 'list', '--url', 'http://k:@h:1', '--port', '1'], 'leave out --port, or --url'],
  [
    'a URL beside other ways to the gateway',
    [
      'sessions',
      'create',
      '--url',
      'http://k:@h:1',
      '--data-dir',
      'x',
      '--config',
      'x',
      '--host',
      'h',
      '--api-key',
      'k',
    ],
    'leave out --config, --host, --api-key, --data-dir, or --url',
  ],
  ['a port of 0 to look at', ['sessions', 'list', '--port', '0'], 'give the true one with --port or --url'],
] as const) {
  test(`${name} is exit 2`, async () => {
    const { code, stdout, stderr } = await runCli(args, { home: await createHome() });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
    expect(stderr).not.toContain('    at ');
  });
}

test('all faults of flags, environment and file are told together, each with its origin, and no secret', async () => {
  const home = await createHome();
  await writeFile(
    path.join(home, 'session-proxy.yaml'),
    'apiKeys: [hunter2]\ndelays: { maxHold: 2h, defualt: 1s }\nupstreams: [ftp://user:hunter2@host]\n',
  );
  const environment = { SESSION_PROXY_PORT: '99999', SESSION_PROXY_STORE: 'redis://:hunter2@host' };
  const { code, stderr } = await runCli(['serve', '--delay', 'soon'], { home, environment });
  expect(code).toBe(2);
  expect(stderr).toContain('delays.default (from --delay): "soon" is not a duration');
  expect(stderr).toContain('port (from SESSION_PROXY_PORT): "99999" is not a port');
  expect(stderr).toContain('store (from SESSION_PROXY_STORE): ');
  expect(stderr).toContain(
    'delays.defualt (from session-proxy.yaml): no option has this name; the nearest is delays.default',
  );
  expect(stderr).toContain('delays.maxHold (from session-proxy.yaml): 7200s is above delays.hardLimit');
  expect(stderr).toContain('upstreams[0] (from session-proxy.yaml): ftp://***@host is no kind of upstream');
  expect(stderr).toContain('apiKeys[0] (from session-proxy.yaml): this is not an API key');
  expect(stderr).not.toContain('hunter2');
});

for (const args of [['serve', '--upstream', 'direct://'], ['key'], ['sessions', 'list']]) {
  test(`${args[0]} without a home directory is exit 2 and names what to give`, async () => {
    const surroundings = { home: await createHome(), environment: { HOME: '', USERPROFILE: '' } };
    const { code, stdout, stderr } = await runCli(args, surroundings);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^session-proxy: The home directory of this user is not known, .* --data-dir, .*\n$/);
  });
}

for (const [args, told] of [
  [['--help'], 'Usage: session-proxy [options] [command]'],
  [['serve', '--help'], 'a restart loses them'],
  [['--version'], '0.'],
] as const) {
  test(`${args.join(' ')} is exit 0, on standard output`, async () => {
    const { code, stdout, stderr } = await runCli(args, { home: await createHome() });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(told);
  });
}
