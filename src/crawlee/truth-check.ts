// Whether pages left by their own session: what Crawlee believes held against what the gateway knows. Over http the
// answer names its session; a tunnel's can't be seen in the answer, so the gateway is asked for the session's tunnels.
// How the gateway is asked, and what a response looks like, is not known here.

import type { Log, ProxyInfo, Request, Session } from '@crawlee/core';

import { HEADER } from '../protocol/header-names.js';
import { ProxySessionError } from './errors.js';
import type { GatewaySessions, SessionTunnels } from './gateway-sessions.js';
import { readLoadedResponse } from './loaded-response.js';
import type { LoadedResponse } from './loaded-response.js';
import type { Transport } from './options.js';
import { readProxySessionId } from './proxy-url.js';
import type { SessionBindings } from './session-bindings.js';
import { SessionLooks } from './session-looks.js';
import type { Verdicts } from './verdicts.js';

/** Pages that end within this time of each other share a question about their session, in milliseconds. */
const GATHER_MS = 50;

/** Tunnels that a gateway lists at most: in a list as long as this something may be missing. */
const FULL_LIST = 64;

/** What is looked at of a page that was loaded. */
export interface LoadedContext {
  readonly request: Request;
  readonly session?: Session | undefined;
  readonly proxyInfo?: ProxyInfo | undefined;
  /** Of an HTTP crawler or of a browser. */
  readonly response?: unknown;
}

/** What a check depends on. */
export interface TruthCheckOptions {
  readonly gateway: Pick<GatewaySessions, 'tunnels'>;
  readonly bindings: Pick<SessionBindings, 'find'>;
  readonly verdicts: Pick<Verdicts, 'withhold'>;
  readonly transport: Transport;
  readonly onMismatch: 'count' | 'throw';
  readonly log: Log;
}

/** How it stands with a page: what is wrong with it, `fine`, or `unknown` where nobody can tell. */
type Finding = { readonly wrong: string } | 'fine' | 'unknown';

/** A page with a response, and the gateway sessions that may have served it. */
interface Page {
  readonly loaded: LoadedResponse;
  /** Two where the Crawlee session got a new gateway session while the page was loaded. */
  readonly proxySessionIds: readonly string[];
  /** When it was begun, in milliseconds of the monotonic clock; undefined where nobody noted it. */
  readonly startedAtMs: number | undefined;
}

/** Checks the pages of one configuration. */
export class TruthCheck {
  readonly #options: TruthCheckOptions;
  readonly #looks: SessionLooks<SessionTunnels>;
  /** By the request, which is another object for each attempt. */
  readonly #startedAtMs = new WeakMap<Request, number>();
  /** Checks that nobody waits for; bounded by the pages that are loaded within a question's time. */
  readonly #checks = new Set<Promise<void>>();
  #mismatches = 0;
  #canAsk = true;

  constructor(options: TruthCheckOptions) {
    this.#options = options;
    this.#looks = new SessionLooks((id) => options.gateway.tunnels(id));
  }

  /** Pages that left by another session than their own, so far; those just loaded may be missing until `settled`. */
  get mismatches(): number {
    return this.#mismatches;
  }

  /** A page is about to be loaded: only tunnels from now on count for it. */
  begin({ request }: Pick<LoadedContext, 'request'>): void {
    this.#startedAtMs.set(request, performance.now());
  }

  /**
   * Checks a page that was loaded. Where mismatches are counted, that goes on behind it.
   *
   * @throws ProxySessionError `session_mismatch` where mismatches are to throw
   */
  async verify(context: LoadedContext): Promise<void> {
    const finding = this.#judge(context);
    if (this.#options.onMismatch === 'throw') {
      this.#take(await finding, context);
      return;
    }
    if (!(finding instanceof Promise)) {
      this.#take(finding, context);
      return;
    }
    const check = finding.then((found) => this.#take(found, context));
    this.#checks.add(check);
    void check.finally(() => this.#checks.delete(check));
  }

  /** Resolves when the pages that were loaded are counted. */
  async settled(): Promise<void> {
    await Promise.all(this.#checks);
  }

  /** At once where the answer tells, else when the gateway was asked. */
  #judge(context: LoadedContext): Finding | Promise<Finding> {
    const { session, proxyInfo, request, response } = context;
    if (session === undefined) return 'unknown';
    if (proxyInfo?.sessionId !== undefined && proxyInfo.sessionId !== session.id) {
      return { wrong: `Crawlee sent it by the proxy of its session ${proxyInfo.sessionId}` };
    }
    const loaded = readLoadedResponse(response);
    const proxySessionIds = this.#namesOf(session, proxyInfo);
    if (loaded === undefined || proxySessionIds.length === 0) return 'unknown';
    const told = judgeAnswer({ loaded, proxySessionIds }, this.#options.transport);
    if (told !== 'ask') return told;
    return this.#ask({ loaded, proxySessionIds, startedAtMs: this.#startedAtMs.get(request) });
  }

  #namesOf(session: Session, proxyInfo: ProxyInfo | undefined): readonly string[] {
    const bound = this.#options.bindings.find(session.id)?.id;
    const sent = proxyInfo === undefined ? undefined : readProxySessionId(proxyInfo.url);
    return [...new Set([bound, sent])].filter((id) => id !== undefined);
  }

  async #ask(page: Page): Promise<Finding> {
    const [id, another] = page.proxySessionIds;
    // The one before is gone, and its tunnels with it.
    if (!this.#canAsk || id === undefined || another !== undefined) return 'unknown';
    const tunnels = await this.#looks.look(id, this.#options.onMismatch === 'throw' ? 0 : GATHER_MS);
    if (tunnels === 'unknown') return 'unknown';
    if (tunnels === 'untold') {
      this.#giveUpAsking();
      return 'unknown';
    }
    return judgeTunnels(page, tunnels);
  }

  #giveUpAsking(): void {
    if (this.#canAsk) this.#options.log.debug('This gateway does not tell by which session https pages left');
    this.#canAsk = false;
  }

  #take(finding: Finding, { request, session }: LoadedContext): void {
    if (finding === 'fine' || finding === 'unknown') return;
    this.#mismatches += 1;
    const message =
      `${request.url} did not leave by the gateway session of its Crawlee session ${session?.id}: ${finding.wrong}. ` +
      'Make the crawler with httpCrawlerOptions() or browserCrawlerOptions(), and leave its sessions and proxies to it.';
    if (this.#options.onMismatch === 'throw') {
      // Crawlee retires the session for it, whose outgoing IP no site has judged.
      if (session !== undefined) this.#options.verdicts.withhold(session);
      throw new ProxySessionError(message, { code: 'session_mismatch' });
    }
    if (this.#mismatches === 1) this.#options.log.warning(`${message} Further ones are only counted, in mismatches.`);
  }
}

/** What an answer tells of the session it came by; `ask` where it tells nothing. */
function judgeAnswer(
  { loaded, proxySessionIds }: Pick<Page, 'loaded' | 'proxySessionIds'>,
  transport: Transport,
): Finding | 'ask' {
  const named = loaded.header(HEADER.session.toLowerCase());
  // No target knows an ID that it could name here, so this holds inside tunnels too.
  if (named !== undefined && proxySessionIds.includes(named)) return 'fine';
  if (loaded.isFromWorker || isProxysOwn(loaded)) return 'unknown';
  // In a blind tunnel a target may say what it likes; servers that are told the session by a header look inside.
  if (loaded.url.protocol === 'https:' && transport === 'credentials') return 'ask';
  if (named !== undefined) return { wrong: `the answer came by the gateway session ${named}` };
  return transport === 'credentials' ? 'ask' : 'unknown';
}

/** Whether the gateway, or the proxy inside Crawlee before it, answered itself: then nothing left at all. */
function isProxysOwn({ url, status, header }: LoadedResponse): boolean {
  // https://github.com/apify/proxy-chain#error-status-codes
  return (
    url.protocol === 'http:' && (header(HEADER.error.toLowerCase()) !== undefined || (status >= 590 && status < 600))
  );
}

/** Whether one of the session's tunnels can have brought a page. */
async function judgeTunnels({ loaded, startedAtMs }: Page, tunnels: Exclude<SessionTunnels, string>): Promise<Finding> {
  // A gateway that lists tunnels names the session in every answer over http, too.
  if (loaded.url.protocol === 'http:') return { wrong: 'the answer came by no gateway session' };
  const target = targetOf(loaded.url);
  const tunnel = tunnels.find((one) => one.target === target);
  if (tunnel === undefined) {
    return tunnels.length < FULL_LIST ? { wrong: `that has had no tunnel to ${target}` } : 'unknown';
  }
  // The gateway reckons when it is asked and we when it has answered, so that we allow a little too much.
  const pageMs = startedAtMs === undefined ? Infinity : performance.now() - startedAtMs;
  if (tunnel.lastOpenMsAgo <= pageMs || (await loaded.isFromCache())) return 'fine';
  return { wrong: `that had no tunnel to ${target} while the page was loaded` };
}

/** `host:port` as the gateway spells it. */
function targetOf({ hostname, port }: URL): string {
  return `${hostname.replace(/\.$/, '')}:${port === '' ? '443' : port}`;
}
