import { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';

import { expect, test } from 'vitest';

import { openCertificateAuthority } from '../../../src/gateway/certificates/certificate-authority.js';
import type { CertificateAuthority } from '../../../src/gateway/certificates/certificate-authority.js';
import { FakeClock } from '../../support/fake-clock.js';
import { createDirectory, sentWith } from './tls-peers.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const START_MS = Date.UTC(2026, 5, 15, 12);

/** Opens a CA of its own, by its own clock. */
async function openAuthority(): Promise<{ authority: CertificateAuthority; clock: FakeClock }> {
  const clock = new FakeClock(START_MS);
  const place = { dataDir: await createDirectory(), cert: undefined, key: undefined };
  return { authority: await openCertificateAuthority({ ...place, clock }), clock };
}

async function certificateOf(context: SecureContext): Promise<X509Certificate> {
  return new X509Certificate((await sentWith(context)).raw);
}

function daysBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / DAY_MS;
}

test('a certificate of a host is one that clients accept, and the CA comes with it', async () => {
  const { authority } = await openAuthority();
  const sent = await sentWith(await authority.contextFor('shop.example.com'));
  const certificate = new X509Certificate(sent.raw);
  const issuer = new X509Certificate(authority.certificatePem);
  expect(certificate.subjectAltName).toBe('DNS:*.example.com, DNS:example.com');
  expect(certificate.verify(issuer.publicKey)).toBe(true);
  expect(certificate.checkIssued(issuer)).toBe(true);
  expect(sent.issuerCertificate.raw).toEqual(issuer.raw);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(certificate.ca).toBe(false);
  expect(certificate.validFrom).toBe('Jun 14 12:00:00 2026 GMT');
  expect(daysBetween(certificate.validFrom, certificate.validTo)).toBe(396);
});

test('serial numbers differ, the key is one', async () => {
  const { authority } = await openAuthority();
  const [one, two] = await Promise.all([
    certificateOf(await authority.contextFor('one.example')),
    certificateOf(await authority.contextFor('two.example')),
  ]);
  expect(one.serialNumber).not.toBe(two.serialNumber);
  expect(one.serialNumber.length).toBeGreaterThan(24);
  expect(one.publicKey.equals(two.publicKey)).toBe(true);
});

test('hosts that may share a context get the same one, others another', async () => {
  const { authority } = await openAuthority();
  const hosts = ['a.example.com', 'b.example.com', 'example.com', 'EXAMPLE.com.', 'a.b.example.com'];
  const [a, b, base, spelled, deep] = await Promise.all(hosts.map((host) => authority.contextFor(host)));
  expect(b).toBe(a);
  expect(base).toBe(a);
  expect(spelled).toBe(a);
  expect(deep).not.toBe(a);
});

test('a context is made anew before its certificate ends', async () => {
  const { authority, clock } = await openAuthority();
  const first = await authority.contextFor('example.com');
  clock.advance(355 * DAY_MS);
  expect(await authority.contextFor('example.com')).toBe(first);
  clock.advance(DAY_MS);
  const second = await authority.contextFor('example.com');
  expect(second).not.toBe(first);
  const { validTo } = await certificateOf(second);
  expect(Date.parse(validTo)).toBe(clock.nowMs() + 395 * DAY_MS);
});

test('no certificate outlives the CA, and an expired CA makes none', async () => {
  const { authority, clock } = await openAuthority();
  const { validTo } = new X509Certificate(authority.certificatePem);
  clock.advance(Date.parse(validTo) - clock.nowMs() - 10 * DAY_MS);
  const last = await authority.contextFor('example.com');
  expect((await certificateOf(last)).validTo).toBe(validTo);
  clock.advance(8 * DAY_MS);
  expect(await authority.contextFor('example.com')).toBe(last);
  clock.advance(2 * DAY_MS);
  await expect(authority.contextFor('example.com')).rejects.toMatchObject({
    code: 'internal_error',
    message: 'The CA of this gateway expired on 2036-06-12T12:00:00.000Z',
  });
});

test('a server with several names has exactly these', async () => {
  const { authority } = await openAuthority();
  const context = await authority.contextForNames(['proxy.example.com', 'localhost', '127.0.0.1', '::1']);
  expect((await certificateOf(context)).subjectAltName).toBe(
    'DNS:proxy.example.com, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
  );
  expect(await authority.contextForNames(['proxy.example.com', 'localhost', '127.0.0.1', '::1'])).toBe(context);
  expect(await authority.contextFor('proxy.example.com')).not.toBe(context);
});

for (const host of ['', '*.example.com', 'a b', 'host:443']) {
  test(`a host ${JSON.stringify(host)} is refused`, async () => {
    const { authority } = await openAuthority();
    await expect(authority.contextFor(host)).rejects.toMatchObject({ name: 'GatewayError', code: 'bad_request' });
    await expect(authority.contextForNames([host])).rejects.toMatchObject({ code: 'bad_request' });
  });
}
