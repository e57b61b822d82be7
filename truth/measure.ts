// Runs one crawl through a gateway of its own and compares, at the target, the address of every request with that of the
// session it belongs to.

import { ProxyConfiguration } from 'crawlee';
import type { Session } from 'crawlee';

import { SessionsClient } from '../src/client/index.js';
import { Gateway } from '../src/gateway/index.js';
import { SessionProxyConfiguration } from '../src/index.js';
import { withPlugin } from './crawls.js';
import type { Crawl, Way } from './crawls.js';
import { createTarget, pathOf } from './target.js';
import type { Target } from './target.js';

/** How much is crawled. */
export interface Amount {
  readonly requests: number;
  readonly sessions: number;
  readonly chromiumPath: string;
}

/** Who gives the crawler its proxies. */
export type WayName = 'plugin' | 'alone';

/** What one crawl came to. */
export interface Measured {
  readonly crawl: string;
  readonly way: WayName;
  /** Pages that were asked for, and those of them that were loaded. */
  readonly pages: number;
  readonly loadedPages: number;
  /** Requests that the target saw: pages and their parts. */
  readonly requests: number;
  /** Requests of loaded pages that never came to the target. */
  readonly missingRequests: number;
  /** Requests whose address is not that of their session, and the pages that had one. */
  readonly wrongRequests: number;
  readonly wrongPages: number;
  /** Addresses that the target saw. */
  readonly outgoingIps: number;
  /** Mismatches that the plugin counted by itself. */
  readonly counted: number | undefined;
  readonly seconds: number;
}

/** Runs a crawl. */
export async function measure(crawl: Crawl, wayName: WayName, amount: Amount): Promise<Measured> {
  const target = await createTarget();
  const gateway = await openGateway(amount.sessions);
  try {
    return await measureThrough(gateway, target, { crawl, wayName, amount });
  } finally {
    await gateway.close();
    await target.close();
  }
}

async function measureThrough(
  gateway: Gateway,
  target: Target,
  { crawl, wayName, amount }: { readonly crawl: Crawl; readonly wayName: WayName; readonly amount: Amount },
): Promise<Measured> {
  const side = wayName === 'plugin' ? pluginSide(gateway) : aloneSide(gateway);
  const sessionIps = new Map<string, () => string | undefined>();
  const startedAtMs = performance.now();
  await crawl.run(side.way, {
    ...amount,
    urls: Array.from({ length: amount.requests }, (_, page) => urlOf(target, page)),
    onPage: (token, session) => sessionIps.set(token, side.readIp(session)),
    onRetry: (token) => target.forget(token),
  });
  const seconds = (performance.now() - startedAtMs) / 1000;
  const counted = await side.end();
  const tokens = Array.from({ length: amount.requests }, (_, page) => tokenFor(page));
  const compared = tokens.flatMap((token) => {
    const readIp = sessionIps.get(token);
    return readIp === undefined ? [] : [compare(target, token, { sessionIp: readIp(), parts: crawl.parts })];
  });
  return {
    crawl: crawl.name,
    way: wayName,
    pages: amount.requests,
    ...sum(compared),
    outgoingIps: new Set(tokens.flatMap((token) => target.visitsOf(token).map(({ fromIp }) => fromIp))).size,
    counted,
    seconds: Math.round(seconds * 10) / 10,
  };
}

/** Whether a crawl is as it should be: each page loaded whole, and every request by its own session. */
export function isTrue({ pages, loadedPages, missingRequests, wrongRequests, counted }: Measured): boolean {
  return loadedPages === pages && missingRequests === 0 && wrongRequests === 0 && (counted ?? 0) === 0;
}

interface Side {
  readonly way: Way;
  /** Notes which session a page was in. @returns how to read its address once the crawl is over */
  readIp(session: Session | undefined): () => string | undefined;
  /** Ends it. @returns mismatches that were counted */
  end(): Promise<number | undefined>;
}

function pluginSide({ proxyUrl }: Gateway): Side {
  const own = new SessionProxyConfiguration({ proxyUrl });
  return {
    way: withPlugin(own),
    readIp(session) {
      const ip = session && own.proxySession(session)?.outgoingIp;
      return () => ip;
    },
    async end() {
      await own.close();
      return own.mismatches;
    },
  };
}

/** What a user writes without the plugin: the Crawlee session's id as the name of a gateway session. */
function aloneSide({ proxyUrl, url }: Gateway): Side {
  const { username } = new URL(proxyUrl);
  const proxyConfiguration = new ProxyConfiguration({
    newUrlFunction: (sessionId) => url.replace('//', `//${username}:session-${sessionId}@`),
  });
  const ips = new Map<string, string>();
  return {
    way: {
      merge: (preset, options) => (preset === 'basic' ? options : { ...options, proxyConfiguration }),
      launchContext: (isolation) => (isolation === 'browser' ? { browserPerProxy: true } : {}),
      proxyUrlOf: (session) => proxyConfiguration.newUrl(session.id),
    },
    // A session that no request ever used is not known to the gateway, and has no address.
    readIp: (session) => () => ips.get(session?.id ?? ''),
    async end() {
      const { sessions } = await new SessionsClient(proxyUrl).list();
      for (const { name, outgoingIp } of sessions) if (name !== null) ips.set(name, outgoingIp);
      return undefined;
    },
  };
}

interface Compared {
  readonly requests: number;
  readonly missing: number;
  readonly wrong: number;
}

function compare(
  target: Target,
  token: string,
  { sessionIp, parts }: { readonly sessionIp: string | undefined; readonly parts: number },
): Compared {
  const visits = target.visitsOf(token);
  return {
    requests: visits.length,
    missing: Math.max(0, parts + 1 - new Set(visits.map(({ path }) => path)).size),
    wrong: visits.filter(({ fromIp }) => fromIp !== sessionIp).length,
  };
}

function sum(pages: readonly Compared[]) {
  const total = (name: keyof Compared): number => pages.reduce((sofar, page) => sofar + page[name], 0);
  return {
    loadedPages: pages.length,
    requests: total('requests'),
    missingRequests: total('missing'),
    wrongRequests: total('wrong'),
    wrongPages: pages.filter(({ wrong }) => wrong > 0).length,
  };
}

async function openGateway(upstreams: number): Promise<Gateway> {
  const gateway = new Gateway({
    port: 0,
    upstreams: Array.from({ length: upstreams }, (_, index) => `local://127.0.0.${index + 2}`),
    // Nothing but the target is reached, whatever a browser has in mind.
    targets: { allowPrivate: true, allow: ['127.0.0.1'] },
    delays: { default: 0 },
    drainTimeout: 0,
    log: { level: 'silent' },
  });
  await gateway.listen();
  return gateway;
}

/** Over http and https in turn. */
function urlOf({ http, https }: Target, page: number): string {
  return `${page % 2 === 0 ? http : https}${pathOf(tokenFor(page))}`;
}

function tokenFor(page: number): string {
  return `page-${page}`;
}
