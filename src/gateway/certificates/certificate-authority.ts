// The CA of a gateway: its certificate, which clients are given, and a TLS context for every host it speaks for. Its key
// signs, and leaves this folder in no form.

import type { KeyObject } from 'node:crypto';
import tls from 'node:tls';

import type { Clock } from '../../stores/clock.js';
import { systemClock } from '../../stores/clock.js';
import { checkAuthority } from './authority-check.js';
import type { Signer } from './authority-check.js';
import {
  authorityError,
  type AuthorityPlace,
  locateAuthority,
  openKeptCertificate,
  openKeptKey,
  readGiven,
} from './authority-files.js';
import { type CertificateNames, namesOfHost, namesOfHosts } from './certificate-names.js';
import { FreshCache, type Made } from './fresh-cache.js';
import { issueAuthority, issueLeaf } from './issue.js';
import { makeKeyPair, readSigningKey } from './signing-key.js';
import { loadX509 } from './x509.js';

/** Contexts kept, of some 40 KB each. Hosts with one parent share one. */
const MAX_CONTEXTS = 1000;

/** The part of what is left of a certificate's time after which it is made anew. */
const RENEWED_AFTER = 0.9;

/** Where a CA is, and who tells it the time. */
export interface AuthorityOptions extends AuthorityPlace {
  /** @default that of this machine */
  readonly clock?: Clock | undefined;
}

/**
 * Opens the CA of the given files, or that of the data directory, which is made where there is none: an ECDSA key and
 * a certificate for ten years. Several processes that do it at once end with one CA.
 *
 * @throws ConfigurationError if it can't be read, made or used; names the file and what to do
 */
export async function openCertificateAuthority(options: AuthorityOptions): Promise<CertificateAuthority> {
  const { clock = systemClock } = options;
  const files = locateAuthority(options);
  const isGiven = files.kind === 'given';
  const keyPem = await (isGiven ? readGiven(files, 'key') : openKeptKey(files, () => makeKeyPair().privatePem));
  const signingKey = await readSigningKey(keyPem);
  if ('wrong' in signingKey) throw authorityError(files, { part: 'key', ...signingKey });
  const certPem = await (isGiven
    ? readGiven(files, 'cert')
    : openKeptCertificate(files, () => issueAuthority(signingKey, clock.nowMs())));
  const signer = checkAuthority({ x509: await loadX509(), signingKey, nowMs: clock.nowMs() }, certPem);
  if ('wrong' in signer) throw authorityError(files, signer);
  return new CertificateAuthority(signer, clock);
}

/** A CA that is open. It holds no handle and needs no closing. */
export class CertificateAuthority {
  /** What clients are to trust, in PEM: the certificate, and after it whatever links it to a root. */
  readonly certificatePem: string;
  readonly #signer: Signer;
  readonly #clock: Clock;
  readonly #contexts: FreshCache<tls.SecureContext>;
  /** One for all certificates of hosts, made anew with each process. */
  readonly #hostKey: { readonly privatePem: string; readonly publicKey: KeyObject };

  constructor(signer: Signer, clock: Clock) {
    this.certificatePem = signer.chainPem;
    this.#signer = signer;
    this.#clock = clock;
    this.#contexts = new FreshCache({ clock, maxEntries: MAX_CONTEXTS });
    this.#hostKey = makeKeyPair();
  }

  /**
   * Gives what a TLS server needs to speak for a host; of several calls at once one does the work.
   *
   * @param host a name, in Unicode or ASCII, or an IP address, with or without brackets
   * @throws GatewayError `bad_request` if no certificate can have that name
   */
  async contextFor(host: string): Promise<tls.SecureContext> {
    return this.#contextOf(namesOfHost(host));
  }

  /**
   * Gives the same for a server with several names, exactly these.
   *
   * @throws GatewayError `bad_request` if there is none, or no certificate can have one of them
   */
  async contextForNames(names: readonly string[]): Promise<tls.SecureContext> {
    return this.#contextOf(namesOfHosts(names));
  }

  #contextOf({ key, names }: CertificateNames): Promise<tls.SecureContext> {
    return this.#contexts.get(key, () => this.#make(names));
  }

  async #make(names: CertificateNames['names']): Promise<Made<tls.SecureContext>> {
    const { privatePem, publicKey } = this.#hostKey;
    const nowMs = this.#clock.nowMs();
    const { pem, notAfterMs } = await issueLeaf(this.#signer, { names, publicKey, nowMs });
    const value = tls.createSecureContext({
      key: privatePem,
      cert: `${pem}${this.#signer.chainPem}`,
      minVersion: 'TLSv1.2',
    });
    return { value, renewAtMs: nowMs + (notAfterMs - nowMs) * RENEWED_AFTER };
  }
}
