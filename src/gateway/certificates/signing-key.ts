// Reads and makes private keys of CAs. Where they lie is not known here; nothing of a key gets into a message.

import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** A private key as it signs certificates; it can't be read back from here. */
export interface SigningKey {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: SigningAlgorithm;
  readonly publicKey: KeyObject;
}

/** How a key signs, in the words of Web Crypto. */
interface SigningAlgorithm {
  readonly name: string;
  readonly hash: string;
  readonly namedCurve?: string | undefined;
}

/** Why a text is no key to sign with, in words that follow the name of its file, and what to give instead. */
export interface KeyFault {
  readonly wrong: string;
  readonly cure: string;
}

/** The curves that clients accept in certificates, by their names in OpenSSL. */
const CURVES: Readonly<Record<string, SigningAlgorithm>> = {
  prime256v1: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  secp521r1: { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
};

/** What is shorter is refused by clients of today. */
const MIN_RSA_BITS = 2048;

const GOOD_KEYS = `a CA needs an RSA key of ${MIN_RSA_BITS} bits or more, or an EC key on P-256, P-384 or P-521`;

/** Makes a key pair on P-256. */
export function makeKeyPair(): { readonly privatePem: string; readonly publicKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return { privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), publicKey };
}

/** Reads a key in PEM: PKCS8, PKCS1 or SEC1; tells why where it is none that can be used. */
export async function readSigningKey(pem: string): Promise<SigningKey | KeyFault> {
  const read = parseKey(pem);
  if ('wrong' in read) return read;
  const algorithm = algorithmOf(read);
  if (algorithm === undefined) return { wrong: 'holds a key of the wrong kind', cure: GOOD_KEYS };
  const der = read.export({ type: 'pkcs8', format: 'der' });
  const key = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
  return { key, algorithm, publicKey: createPublicKey(read) };
}

function parseKey(pem: string): KeyObject | KeyFault {
  try {
    return createPrivateKey(pem);
  } catch {
    // What OpenSSL says of an encrypted key depends on its version, so its PEM is asked.
    const isEncrypted = /^(?:-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED)/m.test(pem);
    if (isEncrypted) return { wrong: 'is encrypted', cure: 'give the key without a passphrase' };
    return { wrong: 'holds no private key', cure: 'give one in PEM: PKCS8, PKCS1 or SEC1' };
  }
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): SigningAlgorithm | undefined {
  if (asymmetricKeyType === 'ec') return CURVES[asymmetricKeyDetails?.namedCurve ?? ''];
  const isLongRsa = asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS;
  return isLongRsa ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : undefined;
}
