// What stands in the certificates that the gateway makes: its CA's own, and those of hosts. Where keys lie and which
// names a host gets is settled elsewhere.

import { randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Name, X509Certificate } from '@peculiar/x509';

import { GatewayError } from '../../sessions/errors.js';
import type { Signer } from './authority-check.js';
import type { SubjectName } from './certificate-names.js';
import type { SigningKey } from './signing-key.js';
import { loadX509, type X509 } from './x509.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Certificates are valid from this long before they are made, for clients whose clocks are late. */
const BACKDATED_MS = DAY_MS;

/** How long the CA's own certificate is good for. */
const AUTHORITY_MS = 3650 * DAY_MS;

/** How long a host's is good for, all in all: clients may refuse what is good for more than 397 days. */
const LEAF_MS = 396 * DAY_MS;

/** The longest common name there is, in characters. @see https://www.rfc-editor.org/rfc/rfc5280 "ub-common-name" */
const MAX_COMMON_NAME = 64;

/** A host's certificate. */
export interface Leaf {
  readonly pem: string;
  /** Epoch milliseconds. */
  readonly notAfterMs: number;
}

/** Makes the certificate of a new CA, signed by its own key. @returns PEM */
export async function issueAuthority({ key, algorithm, publicKey }: SigningKey, nowMs: number): Promise<string> {
  const x509 = await loadX509();
  const name = commonName(x509, `session-proxy CA ${randomBytes(4).toString('hex')}`);
  const publicDer = publicKey.export({ type: 'spki', format: 'der' });
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: name,
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter: new Date(nowMs + AUTHORITY_MS),
    publicKey: publicDer,
    signingKey: key,
    signingAlgorithm: algorithm,
    extensions: [
      // It signs hosts and no other CA.
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(publicDer),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/**
 * Makes the certificate of a host, for its names and no longer than the CA's own.
 *
 * @throws GatewayError `internal_error` if the CA has expired
 */
export async function issueLeaf(
  { certificate: authority, signingKey: { key, algorithm } }: Signer,
  { names, publicKey, nowMs }: { names: readonly SubjectName[]; publicKey: KeyObject; nowMs: number },
): Promise<Leaf> {
  const x509 = await loadX509();
  const { notBefore, notAfter } = leafTimes(authority, nowMs);
  // Clients compare the two: what another program gave the CA as its identifier is not always the hash of its key.
  const authorityId = authority.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const leaf = await x509.X509CertificateGenerator.create({
    subject: commonName(x509, names.find(({ value }) => value.length <= MAX_COMMON_NAME)?.value ?? 'session-proxy'),
    // The name as the CA has it, byte for byte, not written anew from its text.
    issuer: authority.subjectName,
    notBefore,
    notAfter,
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    signingKey: key,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([...names]),
      ...(authorityId === undefined ? [] : [new x509.AuthorityKeyIdentifierExtension(authorityId)]),
    ],
  });
  return { pem: `${leaf.toString('pem')}\n`, notAfterMs: notAfter.getTime() };
}

/** From when to when a host's certificate is valid: inside the CA's own time. */
function leafTimes(authority: X509Certificate, nowMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const notBeforeMs = Math.max(nowMs - BACKDATED_MS, authority.notBefore.getTime());
  const notAfterMs = Math.min(notBeforeMs + LEAF_MS, authority.notAfter.getTime());
  if (notAfterMs > nowMs) return { notBefore: new Date(notBeforeMs), notAfter: new Date(notAfterMs) };
  throw new GatewayError('internal_error', `The CA of this gateway expired on ${authority.notAfter.toISOString()}`);
}

/** As UTF-8 whatever it holds: the package would take some names for quoted or hexadecimal ones. */
function commonName(x509: X509, text: string): Name {
  return new x509.Name([{ CN: [{ utf8String: text }] }]);
}
