// The command as it is built, with the packages that it carries: it says what its source says, and goes with their
// licences.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import { createHome, runCli, startServe } from './run-cli.js';

const BUILT_CLI = fileURLToPath(new URL('../../dist/cli', import.meta.url));
const CHUNKS = path.join(BUILT_CLI, 'chunks');

const FAULTY = ['serve', '--config', 'faulty.yaml'];

beforeAll(() => {
  if (!existsSync(CHUNKS)) throw new Error('Run `npm run build` before this test');
});

for (const [name, args, file] of [
  ['its help', ['--help'], ''],
  ['the help of a command', ['serve', '--help'], ''],
  ['its version', ['--version'], ''],
  ['an unknown flag', ['serve', '--workers', '2'], ''],
  ['a fault of syntax', FAULTY, 'port: [1'],
  ['an alias of nothing', FAULTY, 'host: *x'],
  ['a misspelt option', FAULTY, 'upstreems: [direct://]'],
  ['bad values', FAULTY, 'port: x\ndelays: { default: -1, scope: us }\napiKeys: [1]'],
] as const) {
  test(`${name}: built and source say the same`, async () => {
    const home = await createHome();
    await writeFile(path.join(home, 'faulty.yaml'), file);
    const [built, source] = await Promise.all([
      runCli(args, { home, built: true }),
      runCli(args, { home, built: false }),
    ]);
    expect(built).toEqual(source);
    expect(built.stdout + built.stderr).not.toBe('');
  });
}

for (const [format, line] of [
  ['json', /^\{"level":"info","time":"[^"]+",.*"msg":"listening on http:\/\/127\.0\.0\.1:\d+"\}$/m],
  ['pretty', /^\[.+\] INFO: listening on http:\/\/127\.0\.0\.1:\d+$/m],
] as const) {
  test(`it serves with a configuration, and its log is ${format}`, async () => {
    const home = await createHome();
    await writeFile(path.join(home, 'session-proxy.yaml'), `log: { format: ${format} }`);
    const served = await startServe([], { home, built: true });
    expect(await served.waitFor('stderr', line)).toMatch(line);
    served.child.kill('SIGTERM');
    expect((await served.ended).code).toBe(0);
  });
}

describe('what it carries', () => {
  /** Paths inside `node_modules`, as the bundler writes them above each file. */
  const carried = (): readonly string[] =>
    [CHUNKS, BUILT_CLI]
      .flatMap((directory) => readdirSync(directory).map((file) => path.join(directory, file)))
      .filter((file) => file.endsWith('.js'))
      .flatMap((file) => readFileSync(file, 'utf8').match(/(?<=^ *\/\/ .*node_modules\/).+$/gm) ?? []);

  test('each package is there with its licence', () => {
    const packages = new Set(carried().map((file) => /^(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? file));
    const licences = readFileSync(path.join(BUILT_CLI, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
    expect([...packages]).toContain('zod');
    expect([...packages].filter((name) => !licences.includes(`\n${name} `))).toEqual([]);
  });

  test('what meets the network is not among it', () => {
    const outside = ['proxy-chain', 'socks', 'ipaddr.js', 'tldts', 'hono', '@hono', 'tough-cookie', '@peculiar'];
    expect(carried().filter((file) => outside.includes(file.split('/')[0] ?? ''))).toEqual([]);
  });

  // As it would be, were one import of it `{ z }`: they are three quarters of it.
  test('the translations of zod are not among it', () => {
    expect(carried().filter((file) => /zod\/.*locales\/(?!en\.js)/.test(file))).toEqual([]);
  });
});
