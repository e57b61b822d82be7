import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inspect } from 'node:util';

import { expect, test } from 'vitest';

import { openCertificateAuthority } from '../../../src/gateway/certificates/certificate-authority.js';
import type { CertificateAuthority } from '../../../src/gateway/certificates/certificate-authority.js';
import { FakeClock } from '../../support/fake-clock.js';
import { createDirectory } from './tls-peers.js';

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

function open(dataDir: string | undefined, clock?: FakeClock): Promise<CertificateAuthority> {
  return openCertificateAuthority({ dataDir, cert: undefined, key: undefined, clock });
}

test('a CA is made in the data directory, and the next start finds it', async () => {
  const dataDir = path.join(await createDirectory(), 'deep', 'data');
  const { certificatePem } = await open(dataDir);
  expect(await readFile(path.join(dataDir, 'ca.crt'), 'utf8')).toBe(certificatePem);
  expect((await open(dataDir)).certificatePem).toBe(certificatePem);
  const modes = await Promise.all(['.', 'ca.key', 'ca.crt'].map((name) => stat(path.join(dataDir, name))));
  expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(['700', '600', '644']);
  expect((await readdir(dataDir)).toSorted()).toEqual(['ca.crt', 'ca.key']);
});

test('its certificate says what it is, and is good for ten years from yesterday on', async () => {
  const nowMs = Date.UTC(2026, 5, 15, 12);
  const certificate = new X509Certificate((await open(await createDirectory(), new FakeClock(nowMs))).certificatePem);
  expect(certificate.subject).toMatch(/^CN=session-proxy CA [0-9a-f]{8}$/);
  expect(certificate.issuer).toBe(certificate.subject);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.ca).toBe(true);
  expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  expect(certificate.validFrom).toBe('Jun 14 12:00:00 2026 GMT');
  expect(certificate.validTo).toBe('Jun 12 12:00:00 2036 GMT');
});

test('many at once end with one CA', async () => {
  const dataDir = path.join(await createDirectory(), 'data');
  const opened = await Promise.all(Array.from({ length: 20 }, () => open(dataDir)));
  expect(new Set(opened.map(({ certificatePem }) => certificatePem)).size).toBe(1);
  expect((await readdir(dataDir)).toSorted()).toEqual(['ca.crt', 'ca.key']);
});

test('a key without its certificate gets a new one', async () => {
  const dataDir = await createDirectory();
  const before = new X509Certificate((await open(dataDir)).certificatePem);
  await rm(path.join(dataDir, 'ca.crt'));
  const after = new X509Certificate((await open(dataDir)).certificatePem);
  expect(after.subject).not.toBe(before.subject);
  expect(after.publicKey.equals(before.publicKey)).toBe(true);
});

/** Each takes the directory of a CA, and damages it; `told` follows the name of the directory. */
const DAMAGES: readonly (readonly [string, (dataDir: string) => Promise<unknown>, string])[] = [
  ['the key is gone', (dir) => rm(path.join(dir, 'ca.key')), '/ca.key is not there, but its certificate'],
  ['the key is damaged', (dir) => writeFile(path.join(dir, 'ca.key'), 'SECRET'), '/ca.key holds no private key'],
  ['the key is empty', (dir) => writeFile(path.join(dir, 'ca.key'), ''), '/ca.key holds no private key'],
  ['the certificate is empty', (dir) => writeFile(path.join(dir, 'ca.crt'), ''), '/ca.crt holds no certificate'],
  [
    'the certificate is damaged',
    (dir) => writeFile(path.join(dir, 'ca.crt'), '-----BEGIN CERTIFICATE-----\nSECRET\n-----END CERTIFICATE-----\n'),
    '/ca.crt holds no certificate, or a damaged one',
  ],
  [
    'the certificate is that of another',
    async (dir) => {
      await open(path.join(dir, 'other'));
      await copyFile(path.join(dir, 'other', 'ca.crt'), path.join(dir, 'ca.crt'));
    },
    '/ca.crt is the certificate of another key',
  ],
];

for (const [name, damage, told] of DAMAGES) {
  test(`${name}: it is refused with what to do, and nothing is written over`, async () => {
    const dataDir = await createDirectory();
    await open(dataDir);
    await damage(dataDir);
    const before = await contentOf(dataDir);
    const error = await open(dataDir).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ConfigurationError', faults: [{ path: 'dataDir' }] });
    expect(String(error)).toContain(`${dataDir}${told}`);
    expect(String(error)).toContain(`or delete ${path.join(dataDir, 'ca.key')} and ${path.join(dataDir, 'ca.crt')}`);
    expect(inspect(error, { depth: null, showHidden: true })).not.toMatch(/SECRET|PRIVATE KEY/);
    expect(await contentOf(dataDir)).toEqual(before);
  });
}

test('an expired one is refused with the date', async () => {
  const dataDir = await createDirectory();
  const clock = new FakeClock(Date.UTC(2026, 5, 15));
  await open(dataDir, clock);
  clock.advance(11 * YEAR_MS);
  await expect(open(dataDir, clock)).rejects.toThrow(`ca.crt expired on 2036-06-12T00:00:00.000Z; put back`);
});

test('without data directory and files there is no place for one', async () => {
  await expect(open(undefined)).rejects.toMatchObject({
    name: 'ConfigurationError',
    message: expect.stringContaining('give a directory, or ca.cert and ca.key'),
  });
});

test('a place where nothing can be kept is told', async () => {
  const directory = await createDirectory();
  await writeFile(path.join(directory, 'file'), '');
  await expect(open(path.join(directory, 'file', 'data'))).rejects.toThrow('ENOTDIR on ca.key; give a directory');
  await mkdir(path.join(directory, 'ca.key'));
  await expect(open(directory)).rejects.toThrow('EISDIR on ca.key; give a directory');
});

test.runIf(existsSync('/proc/self'))('a place where no directory can be made is told at once', async () => {
  await expect(open('/proc/nope/deeper')).rejects.toThrow('ENOENT on ca.key; give a directory');
});

test('the key is in nothing that is shown of a CA', async () => {
  const dataDir = await createDirectory();
  const authority = await open(dataDir);
  await authority.contextFor('example.com');
  const shown = [inspect(authority, { depth: null, showHidden: true }), JSON.stringify(authority)];
  const key = await readFile(path.join(dataDir, 'ca.key'), 'utf8');
  for (const secret of key.split('\n').filter(Boolean)) expect(shown.join('\n')).not.toContain(secret);
});

async function contentOf(directory: string): Promise<readonly string[]> {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  return Promise.all(files.map((file) => readFile(path.join(file.parentPath, file.name), 'utf8')));
}
