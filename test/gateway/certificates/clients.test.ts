// What clients make of the certificates: Node, curl and OpenSSL, each with its own rules for wildcards and names.

import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { isIP, isIPv6 } from 'node:net';
import path from 'node:path';
import type { SecureContext } from 'node:tls';
import { domainToASCII } from 'node:url';

import { expect, test } from 'vitest';

import { openCertificateAuthority } from '../../../src/gateway/certificates/certificate-authority.js';
import { needsProgram } from '../../support/needs.js';
import { connectTrusting, createDirectory, run, sentWith, startTls } from './tls-peers.js';

const HOSTS = [
  'example.com',
  'www.example.com',
  'a.b.shop.example.co.uk',
  'github.io',
  'someone.github.io',
  'page.someone.github.io',
  'localhost',
  'host.internal',
  'my_shop.example.com',
  'a.my_shop.example.com',
  'bücher.example.com',
  'www.bücher.example',
  'xn--bcher-kva.example',
  `${'a'.repeat(63)}.${'b'.repeat(63)}.example.com`,
  `${'a'.repeat(63)}.co.uk`,
  '192.0.2.7',
  '2001:db8::7',
  '::ffff:192.0.2.7',
] as const;

interface Host {
  readonly host: string;
  /** As a URL and a client's check have it. */
  readonly ascii: string;
  readonly context: SecureContext;
  readonly ca: string;
  readonly caFile: string;
}

async function speakFor(host: string): Promise<Host> {
  const dataDir = await createDirectory();
  const authority = await openCertificateAuthority({ dataDir, cert: undefined, key: undefined });
  return {
    host,
    ascii: isIP(host) === 0 ? domainToASCII(host) : host,
    context: await authority.contextFor(host),
    ca: authority.certificatePem,
    caFile: path.join(dataDir, 'ca.crt'),
  };
}

for (const host of HOSTS) {
  test(`Node accepts ${host}`, async () => {
    const { ascii, context, ca } = await speakFor(host);
    await connectTrusting({ ca, host: ascii }, context);
  });
}

test('a host of another site is not covered, nor is one deeper below', async () => {
  const { context, ca } = await speakFor('www.example.com');
  for (const host of ['example.org', 'a.www.example.com', 'www.example.com.example.org', 'com', '192.0.2.7']) {
    // oxlint-disable-next-line no-await-in-loop
    await expect(connectTrusting({ ca, host }, context)).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  }
});

test('a client that trusts another CA refuses', async () => {
  const { context } = await speakFor('example.com');
  const { ca } = await speakFor('example.com');
  await expect(connectTrusting({ ca, host: 'example.com' }, context)).rejects.toThrow(/certificate/);
});

needsProgram('curl', 'curl', () => {
  for (const host of HOSTS) {
    test(`curl --cacert accepts ${host}`, async () => {
      const { ascii, context, caFile } = await speakFor(host);
      expect(await curl(ascii, { caFile, port: await startTls(context) })).toBe('hello');
    });
  }

  test('curl that goes no further than TLS 1.2 is served', async () => {
    const { context, caFile } = await speakFor('example.com');
    const options = { caFile, port: await startTls(context), more: ['--tls-max', '1.2'] };
    expect(await curl('example.com', options)).toBe('hello');
  });

  test('curl refuses a host that the certificate is not for', async () => {
    const { context, caFile } = await speakFor('example.com');
    const options = { caFile, port: await startTls(context) };
    // 60 is "the server's certificate was not OK".
    await expect(curl('example.org', options)).rejects.toMatchObject({ code: 60 });
  });
});

async function curl(
  host: string,
  { caFile, port, more = [] }: { caFile: string; port: number; more?: readonly string[] },
): Promise<string> {
  const written = isIPv6(host) ? `[${host}]` : host;
  const args = [
    '-sS',
    '--noproxy',
    '*',
    '--cacert',
    caFile,
    '--capath',
    '/none',
    '--connect-to',
    `::127.0.0.1:${port}`,
  ];
  return (await run('curl', [...args, ...more, `https://${written}/`])).stdout;
}

needsProgram('openssl', 'openssl', () => {
  for (const host of HOSTS) {
    test(`openssl verify accepts ${host}, strictly`, async () => {
      const { ascii, context, caFile } = await speakFor(host);
      expect(await verify({ host: ascii, context, caFile })).toMatch(/: OK\n$/);
    });
  }

  test('openssl sees what each certificate is for', async () => {
    const { context, caFile } = await speakFor('example.com');
    expect(await extensionsOf(caFile)).toMatch(
      /^X509v3 Basic Constraints: critical CA:TRUE, pathlen:0 X509v3 Key Usage: critical Certificate Sign, CRL Sign X509v3 Subject Key Identifier: [0-9A-F:]{59}$/,
    );
    expect(await extensionsOf(await saveLeaf(context))).toMatch(
      /^X509v3 Basic Constraints: critical CA:FALSE X509v3 Key Usage: critical Digital Signature X509v3 Extended Key Usage: TLS Web Server Authentication X509v3 Authority Key Identifier: [0-9A-F:]{59}$/,
    );
  });

  test('openssl verify refuses a host that the certificate is not for', async () => {
    const { context, caFile } = await speakFor('example.com');
    await expect(verify({ host: 'example.org', context, caFile })).rejects.toThrow(/hostname mismatch/i);
  });
});

async function verify({ host, context, caFile }: Pick<Host, 'host' | 'context' | 'caFile'>): Promise<string> {
  const leafFile = await saveLeaf(context);
  const check = isIP(host) === 0 ? '-verify_hostname' : '-verify_ip';
  const args = ['-x509_strict', '-purpose', 'sslserver', '-no-CApath', '-no-CAstore', '-CAfile', caFile];
  return (await run('openssl', ['verify', ...args, check, host, leafFile])).stdout;
}

async function saveLeaf(context: SecureContext): Promise<string> {
  const file = path.join(await createDirectory(), 'leaf.crt');
  await writeFile(file, new X509Certificate((await sentWith(context)).raw).toString());
  return file;
}

/** What a certificate is for, as OpenSSL writes it, on one line. */
async function extensionsOf(file: string): Promise<string> {
  const wanted = 'basicConstraints,keyUsage,extendedKeyUsage,subjectKeyIdentifier,authorityKeyIdentifier';
  const { stdout } = await run('openssl', ['x509', '-in', file, '-noout', '-ext', wanted]);
  return stdout.replaceAll(/\s+/g, ' ').trim();
}
