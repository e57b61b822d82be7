// Which key and certificate make a CA that clients accept. Where they lie, and how a fault is told, is not known here.

import { X509Certificate as PlainCertificate } from 'node:crypto';
import type { X509Certificate } from '@peculiar/x509';

import type { AuthorityFault } from './authority-files.js';
import type { SigningKey } from './signing-key.js';
import type { X509 } from './x509.js';

/** A CA that can sign. */
export interface Signer {
  readonly certificate: X509Certificate;
  /** The certificate, then whatever links it to a root, in PEM. */
  readonly chainPem: string;
  readonly signingKey: SigningKey;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Puts key and certificate together.
 *
 * @param certPem one certificate or a chain that starts with the CA's; whatever else it holds, a key perhaps, is dropped
 * @returns the CA, or why it is none
 */
export function checkAuthority(
  { x509, signingKey, nowMs }: { readonly x509: X509; readonly signingKey: SigningKey; readonly nowMs: number },
  certPem: string,
): Signer | AuthorityFault {
  const blocks = certPem.match(CERTIFICATE) ?? [];
  const plain = blocks.map((block) => parseCertificate(block));
  const [own] = plain;
  if (own === undefined || plain.includes(undefined)) {
    return { part: 'cert', wrong: 'holds no certificate, or a damaged one', cure: 'give it in PEM' };
  }
  const certificate = new x509.X509Certificate(own.raw);
  const wrong = wrongWith({ x509, certificate, nowMs });
  if (wrong !== undefined) return { part: 'cert', wrong, cure: 'give the certificate of a CA, valid today' };
  if (!own.publicKey.equals(signingKey.publicKey)) {
    return { part: 'cert', wrong: 'is the certificate of another key', cure: 'give certificate and key of one CA' };
  }
  return { certificate, chainPem: `${blocks.join('\n')}\n`, signingKey };
}

/** Tells what keeps a certificate from being that of a CA. */
function wrongWith({
  x509,
  certificate,
  nowMs,
}: {
  readonly x509: X509;
  readonly certificate: X509Certificate;
  readonly nowMs: number;
}): string | undefined {
  const { notBefore, notAfter } = certificate;
  const usages = certificate.getExtension(x509.KeyUsagesExtension)?.usages;
  if (certificate.getExtension(x509.BasicConstraintsExtension)?.ca !== true) {
    return 'is not the certificate of a CA: it has no CA:TRUE';
  }
  if (usages !== undefined && (usages & x509.KeyUsageFlags.keyCertSign) === 0) {
    return 'may not sign certificates: its key usage has no keyCertSign';
  }
  if (notAfter.getTime() <= nowMs) return `expired on ${notAfter.toISOString()}`;
  return notBefore.getTime() > nowMs ? `is valid from ${notBefore.toISOString()} only` : undefined;
}

function parseCertificate(pem: string): PlainCertificate | undefined {
  try {
    return new PlainCertificate(pem);
  } catch {
    // Whatever else OpenSSL says of it, it is damaged.
    return undefined;
  }
}
