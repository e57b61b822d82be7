// One fingerprint for each Crawlee session, where many share a browser. Crawlee keeps one a browser, which pages with
// contexts of their own then all show, each from another outgoing IP; here its own generator and cache are asked for each
// session instead. What a fingerprint consists of is Crawlee's affair.

import { setImmediate } from 'node:timers/promises';

import type { Core } from './core.js';
import { readSessionParameter } from './proxy-url.js';

/** A fingerprint, as far as page options need it. */
interface Fingerprint {
  readonly fingerprint: {
    readonly navigator: { readonly userAgent: string };
    readonly screen: { readonly width: number; readonly height: number };
  };
}

/** What of Crawlee's BrowserPool is used. */
export interface FingerprintPool {
  readonly fingerprintGenerator?: object | undefined;
  readonly fingerprintCache?: { set(sessionId: string, fingerprint: unknown): unknown } | undefined;
  readonly preLaunchHooks: readonly ((pageId: string, launchContext: never) => unknown)[];
}

/** What a `prePageCreateHooks` entry is handed second. */
export interface PageController {
  readonly totalPages: number;
  readonly launchContext: {
    readonly fingerprint?: unknown;
    extend(fields: Readonly<Record<string, unknown>>): void;
  };
}

/** What it is handed third, where each page has a context: Playwright's, then Puppeteer's. */
export interface PageOptions {
  readonly proxy?: { readonly password?: string };
  readonly proxyPassword?: string;
  proxyBypassList?: readonly string[];
  userAgent?: string;
  viewport?: { readonly width: number; readonly height: number };
}

/** Sees to the fingerprints of one crawler's pages. */
export class BrowserFingerprints {
  readonly #core: Core;
  #pool: FingerprintPool | undefined;
  /** Of sessions whose page came before the pool was known; a handful at most. */
  readonly #early = new Map<string, unknown>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Makes the pool known: no hook that runs before a page is there is told of it. */
  learn(pool: FingerprintPool): void {
    if (this.#pool !== undefined) return;
    this.#pool = pool;
    for (const [sessionId, fingerprint] of this.#early) pool.fingerprintCache?.set(sessionId, fingerprint);
    this.#early.clear();
  }

  /**
   * Puts the fingerprint of a page's session in, before the page is made. Crawlee makes one page after the other, so that
   * what is put into the browser's launch context is still there when it injects it.
   */
  async dress(pageId: string, { launchContext, totalPages }: PageController, options: PageOptions): Promise<void> {
    const shared = launchContext.fingerprint;
    // `useFingerprints: false`
    if (!isFingerprint(shared)) return;
    const sessionId = this.#sessionOf(options);
    if (sessionId === undefined) return;
    // The hook that learns of the pool runs as soon as the page before this one is made.
    if (this.#pool === undefined && totalPages > 0) await setImmediate();
    if (this.#pool === undefined) {
      this.#early.set(sessionId, shared);
      return;
    }
    const own = await generate(this.#pool, pageId, { ...launchContext, useIncognitoPages: true }, sessionId);
    if (!isFingerprint(own)) return;
    launchContext.extend({ fingerprint: own });
    // Only Playwright takes these as options of a page, and only Crawlee has set them so far.
    if (options.userAgent === undefined) return;
    const { navigator, screen } = own.fingerprint;
    options.userAgent = navigator.userAgent;
    options.viewport = { width: screen.width, height: screen.height };
  }

  #sessionOf({ proxy, proxyPassword }: PageOptions): string | undefined {
    const id = readSessionParameter(proxy?.password ?? proxyPassword ?? '');
    return id === undefined ? undefined : this.#core.bindings.findOwner(id);
  }
}

/**
 * Has Crawlee's own hook make a fingerprint, or find the one it made before for this session: it always stands last among
 * the hooks before a launch.
 *
 * @see https://github.com/apify/crawlee/blob/v3.18.1/packages/browser-pool/src/fingerprinting/hooks.ts
 */
async function generate(
  pool: FingerprintPool,
  pageId: string,
  launchContext: object,
  sessionId: string,
): Promise<unknown> {
  const hook = pool.fingerprintGenerator === undefined ? undefined : pool.preLaunchHooks.at(-1);
  let made: unknown;
  const standIn = {
    ...launchContext,
    session: { id: sessionId },
    extend(fields: { readonly fingerprint?: unknown }) {
      made = fields.fingerprint;
    },
  };
  await hook?.(pageId, standIn as never);
  return made;
}

function isFingerprint(value: unknown): value is Fingerprint {
  if (typeof value !== 'object' || value === null || !('fingerprint' in value)) return false;
  const { fingerprint } = value;
  return typeof fingerprint === 'object' && fingerprint !== null && 'navigator' in fingerprint;
}
