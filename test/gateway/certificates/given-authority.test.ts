// CAs that other programs made: OpenSSL, in all the forms a user may have.

import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inspect } from 'node:util';

import { expect, test } from 'vitest';

import { openCertificateAuthority } from '../../../src/gateway/certificates/certificate-authority.js';
import type { CertificateAuthority } from '../../../src/gateway/certificates/certificate-authority.js';
import { FakeClock } from '../../support/fake-clock.js';
import { needsProgram } from '../../support/needs.js';
import { connectTrusting, createDirectory, run, sentWith } from './tls-peers.js';

/** Opens the CA of two files; the data directory is there and must stay unused. */
function open(files: { cert?: string; key?: string }, clock?: FakeClock): Promise<CertificateAuthority> {
  return openCertificateAuthority({ dataDir: '/none', cert: files.cert, key: files.key, clock });
}

/** Runs OpenSSL in a directory of its own, a line of arguments at a time. */
async function openssl(...lines: readonly string[]): Promise<string> {
  const directory = await createDirectory();
  for (const line of lines) {
    // oxlint-disable-next-line no-await-in-loop
    await run('openssl', line.split(' '), { cwd: directory });
  }
  return directory;
}

const CERTIFY = 'req -x509 -new -key key.pem -out cert.pem -days 3000 -subj /CN=Given';

for (const [present, missing] of [
  ['cert', 'ca.key'],
  ['key', 'ca.cert'],
] as const) {
  test(`${present} alone is refused`, async () => {
    await expect(open({ [present]: 'x' })).rejects.toMatchObject({
      name: 'ConfigurationError',
      faults: [{ path: missing, message: expect.stringContaining('give both, or neither') }],
    });
  });
}

test('files that are not there or no files are named', async () => {
  const directory = await createDirectory();
  await expect(open({ cert: directory, key: '/none/key.pem' })).rejects.toThrow('ca.key: /none/key.pem is not there');
  await expect(open({ cert: 'x', key: directory })).rejects.toThrow(`ca.key: ${directory} could not be read: EISDIR`);
});

needsProgram('openssl', 'openssl', () => {
  for (const [name, ...lines] of [
    ['an RSA key in PKCS8', 'genrsa -out key.pem 2048'],
    ['an RSA key in PKCS1', 'genrsa -traditional -out key.pem 2048'],
    ['an EC key in SEC1, with its parameters before it', 'ecparam -name prime256v1 -genkey -out key.pem'],
    ['an EC key in PKCS8', 'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem'],
    ['P-384', 'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out key.pem'],
    ['P-521', 'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out key.pem'],
  ] as const) {
    test(`${name} signs`, async () => {
      const directory = await openssl(...lines, CERTIFY);
      const authority = await open(filesIn(directory));
      const context = await authority.contextFor('www.example.com');
      await connectTrusting({ ca: authority.certificatePem, host: 'www.example.com' }, context);
    });
  }

  test('its name is taken byte for byte, and its identifier as it stands', async () => {
    const directory = await openssl('genrsa -out key.pem 2048');
    const subject = '/C=CZ/O=Acme Inc/OU=A, "B" #1/CN=Žluťoučký  kůň';
    const identifiers = ['subjectKeyIdentifier=01:02:03:04', 'authorityKeyIdentifier=none'];
    const args = [...CERTIFY.split(' ').slice(0, -2), '-utf8', '-subj', subject];
    await run('openssl', [...args, ...identifiers.flatMap((line) => ['-addext', line])], { cwd: directory });
    const authority = await open(filesIn(directory));
    const context = await authority.contextFor('example.com');
    await connectTrusting({ ca: authority.certificatePem, host: 'example.com' }, context);
    const leaf = new X509Certificate((await sentWith(context)).raw);
    await writeFile(path.join(directory, 'leaf.pem'), leaf.toString());
    const issuer = await show(directory, 'leaf.pem', '-issuer');
    expect(issuer.replace('issuer', 'subject')).toBe(await show(directory, 'cert.pem', '-subject'));
  });

  test('a chain comes whole, with every certificate and nothing else of the file', async () => {
    const directory = await openssl(
      'genrsa -out root-key.pem 2048',
      'req -x509 -new -key root-key.pem -out root.pem -days 3000 -subj /CN=Root',
      'genrsa -out key.pem 2048',
      'req -new -key key.pem -out csr.pem -subj /CN=Middle',
    );
    await writeFile(path.join(directory, 'extensions'), 'basicConstraints=critical,CA:TRUE\n');
    const signing =
      'x509 -req -in csr.pem -CA root.pem -CAkey root-key.pem -out middle.pem -days 9 -extfile extensions';
    await run('openssl', signing.split(' '), { cwd: directory });
    const [key, middle, root] = await Promise.all(
      ['key.pem', 'middle.pem', 'root.pem'].map((name) => readFile(path.join(directory, name), 'utf8')),
    );
    await writeFile(path.join(directory, 'cert.pem'), `${key}\n${middle}\n${root}`);
    const authority = await open(filesIn(directory));
    expect(authority.certificatePem).toBe(`${middle}${root}`);
    const context = await authority.contextFor('example.com');
    await connectTrusting({ ca: String(root), host: 'example.com' }, context);
  });

  test('a certificate of before 2050 and after is read by its date', async () => {
    const directory = await openssl('genrsa -out key.pem 2048', CERTIFY.replace('3000', '36500'));
    const clock = new FakeClock(Date.UTC(2090, 0, 1));
    const context = await (await open(filesIn(directory), clock)).contextFor('example.com');
    const { validFrom, validTo } = new X509Certificate((await sentWith(context)).raw);
    expect([validFrom, validTo]).toEqual(['Dec 31 00:00:00 2089 GMT', 'Jan 31 00:00:00 2091 GMT']);
  });

  for (const [name, lines, fault] of [
    ['an encrypted key', ['genrsa -aes128 -passout pass:SECRET -out key.pem 2048'], 'ca.key: # is encrypted; give the'],
    [
      'an encrypted key of the old kind',
      ['genrsa -traditional -aes128 -passout pass:SECRET -out key.pem 2048'],
      'ca.key: # is encrypted; give the key without a passphrase',
    ],
    [
      'a short key',
      ['genrsa -out key.pem 1024'],
      'ca.key: # holds a key of the wrong kind; a CA needs an RSA key of 2048',
    ],
    ['another kind of key', ['genpkey -algorithm ED25519 -out key.pem'], 'ca.key: # holds a key of the wrong kind;'],
    ['another curve', ['ecparam -name secp256k1 -genkey -out key.pem'], 'ca.key: # holds a key of the wrong kind;'],
    [
      'a key where the certificate should be',
      ['genrsa -out key.pem 2048', 'genrsa -out cert.pem 2048'],
      'ca.cert: # holds no certificate, or a damaged one; give it in PEM',
    ],
    [
      'a certificate of another key',
      ['genrsa -out key.pem 2048', CERTIFY, 'genrsa -out key.pem 2048'],
      'ca.cert: # is the certificate of another key; give certificate and key of one CA',
    ],
    [
      'a certificate that is no CA',
      ['genrsa -out key.pem 2048', `${CERTIFY} -addext basicConstraints=critical,CA:FALSE`],
      'ca.cert: # is not the certificate of a CA: it has no CA:TRUE; give',
    ],
    [
      'a certificate that may not sign',
      ['genrsa -out key.pem 2048', `${CERTIFY} -addext keyUsage=digitalSignature`],
      'ca.cert: # may not sign certificates: its key usage has no keyCertSign; give',
    ],
  ] as const) {
    test(`${name} is refused`, async () => {
      const files = filesIn(await openssl(...lines));
      const error = await open(files).catch((thrown: unknown) => thrown);
      const [part = '', text = ''] = fault.split('#');
      const file = part.startsWith('ca.key') ? files.key : files.cert;
      expect(error).toMatchObject({ name: 'ConfigurationError' });
      expect(String(error)).toContain(`${part}${file}${text}`);
      expect(inspect(error, { depth: null, showHidden: true })).not.toMatch(/SECRET|PRIVATE KEY/);
    });
  }

  for (const [name, year, told] of [
    ['expired', 2090, /cert\.pem expired on 20\d\d-.*; give the certificate of a CA, valid today/],
    [
      'that is not valid yet',
      2001,
      /cert\.pem is valid from 20\d\d-.* only; give the certificate of a CA, valid today/,
    ],
  ] as const) {
    test(`a certificate ${name} is refused with the date`, async () => {
      const files = filesIn(await openssl('genrsa -out key.pem 2048', CERTIFY));
      await expect(open(files, new FakeClock(Date.UTC(year, 0, 1)))).rejects.toThrow(told);
    });
  }
});

/** A name in a certificate, with the encoding of each of its parts. */
async function show(directory: string, file: string, what: '-issuer' | '-subject'): Promise<string> {
  const args = ['x509', '-in', file, '-noout', what, '-nameopt', 'RFC2253,dump_all,dump_der,oid'];
  return (await run('openssl', args, { cwd: directory })).stdout;
}

function filesIn(directory: string): { cert: string; key: string } {
  return { cert: path.join(directory, 'cert.pem'), key: path.join(directory, 'key.pem') };
}
