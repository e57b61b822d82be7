// The options of a gateway as users write them, the same as in the configuration file. What they may hold is settled in
// `option-schema.ts`, what they resolve to in `options.ts`.

import type { CookieMode, ProfileMode } from '../protocol/directives.js';
import type { OnUpstreamLoss } from '../sessions/loss.js';
import type { UpstreamConfig } from '../upstreams/upstream-url.js';

/** A duration: `250ms`, `12s`, `15m`, `1h`, or a number of seconds; at most 24 days. */
type Duration = string | number;

/** A size: `64KB`, `100MB`, `1GB` (powers of 1024), or a number of bytes. */
type Size = string | number;

/** How a gateway is set up: the shape of the configuration file. Only the ways out have no default. */
export interface GatewayOptions {
  /** Name or address to listen on. On any but a loopback one the API key crosses the network in clear. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** Port to listen on, 0 to 65535; 0 takes any that is free. @default 8011 */
  readonly port?: number | string | undefined;
  /** Port on which the same proxy is spoken over TLS, with a certificate of the gateway's authority. @default none */
  readonly tlsPort?: number | string | undefined;
  /** Keys that clients must give one of: 8 to 128 of `0-9 A-Z a-z . _ ~ -`. @default one made for this gateway's life */
  readonly apiKeys?: readonly string[] | undefined;
  /** The ways out, at least one, here or in `upstreamsFile`: URLs, or objects with a URL. Nothing goes out direct unless one is `direct://`. */
  readonly upstreams?: readonly UpstreamConfig[] | undefined;
  /**
   * A list of more of them, one URL a line with `#` comments: a file, which is read again when it changes, or an
   * `http(s)://` URL, which is asked directly, every minute. @default none
   */
  readonly upstreamsFile?: string | undefined;
  readonly delays?: DelayOptions | undefined;
  readonly sessions?: SessionOptions | undefined;
  readonly retries?: RetryOptions | undefined;
  readonly bans?: BanOptions | undefined;
  /** What is done with cookies where a request does not say: kept by the gateway, passed, or dropped. @default 'disable' */
  readonly cookies?: CookieMode | undefined;
  /** Whose header fields targets see where a request does not say: the client's, or a browser's. @default 'pass' */
  readonly profile?: ProfileMode | undefined;
  readonly timeouts?: TimeoutOptions | undefined;
  readonly limits?: LimitOptions | undefined;
  readonly targets?: TargetOptions | undefined;
  /** Requests and CONNECTs an API key may have in flight, held ones included; 0 is no limit. @default 0 */
  readonly maxConnections?: number | string | undefined;
  /**
   * Which CONNECTs are answered by the gateway itself, so that it sees the requests inside: those that name no session,
   * all, or none. @default 'auto'
   */
  readonly intercept?: InterceptMode | undefined;
  /** The certificate authority of interception; made in the data directory when it is first needed, unless given. */
  readonly ca?: CaOptions | undefined;
  /** How long the sessions live whose IDs their clients choose (`Zyte-Session-ID`). */
  readonly zyte?: ZyteOptions | undefined;
  /** What is done to know which upstreams work, besides looking at how requests through them go. */
  readonly health?: HealthOptions | undefined;
  /** How the addresses that targets see become known, where the upstreams don't say. */
  readonly outgoingIps?: OutgoingIpOptions | undefined;
  /** Names under which clients reach a gateway that listens on loopback, besides `localhost`. @default [] */
  readonly publicHosts?: readonly string[] | undefined;
  /** Whether answers tell the outgoing IP they came through (`X-Crawlera-Slave`). @default true */
  readonly exposeOutgoingIp?: boolean | undefined;
  /** Directory of what outlives a run, the API key and the certificate authority; `~/` is the home directory. @default '~/.session-proxy' */
  readonly dataDir?: string | undefined;
  /** Where sessions are kept. Memory: a restart loses them. @default 'memory' */
  readonly store?: 'memory' | undefined;
  /** How long running requests may go on once the gateway closes; 0 cuts them off at once. @default '8s' */
  readonly drainTimeout?: Duration | undefined;
  readonly log?: LogOptions | undefined;
}

/** How far apart the uses of one outgoing IP are kept, and what happens to those that come too fast. */
interface DelayOptions {
  /** Gap kept between the starts of two uses of one outgoing IP; 0 keeps none. @default '12s' */
  readonly default?: Duration | undefined;
  /** One clock for an outgoing IP as a whole, or one for each pair of it and a domain. @default 'ip' */
  readonly scope?: 'ip' | 'ip+domain' | undefined;
  /** Gaps of particular domains, in place of `default`; each covers its sub-domains, the longest name wins. @default {} */
  readonly domains?: Readonly<Record<string, Duration>> | undefined;
  /** From this wait on, answers tell it (`X-Crawlera-Next-Request-In`). Not above `hardLimit`. @default '120s' */
  readonly softLimit?: Duration | undefined;
  /** The longest a use is held; one that had to wait longer is refused. Not above `hardLimit`. @default '15m' */
  readonly maxHold?: Duration | undefined;
  /** The wait stops growing here, however many requests are refused. @default '1000s' */
  readonly hardLimit?: Duration | undefined;
  /** Whether a refused request makes the wait longer too. @default true */
  readonly refusedRaise?: boolean | undefined;
}

/** How long sessions live and how many there may be. */
interface SessionOptions {
  /** A session ends this long after its last use; above 0. @default '30m' */
  readonly ttl?: Duration | undefined;
  /** Sessions an API key may have at a time, 1 or more. @default 5000 */
  readonly max?: number | string | undefined;
  /** What becomes of a session whose outgoing IP is banned: it stays and says so, or it ends. @default 'sticky' */
  readonly onBan?: 'sticky' | 'drop' | undefined;
  /**
   * What becomes of a session whose upstream left the list, or is down: `fail` (it ends, or waits), `same-ip` (it moves
   * to an upstream of the same outgoing IP, if there is one), `rebind` (it moves to any in its place). @default 'fail'
   */
  readonly onUpstreamLoss?: OnUpstreamLoss | undefined;
  /** Whether a region asked for beside a session is refused, or the session wins. @default 'refuse' */
  readonly regionConflict?: 'refuse' | 'ignore' | undefined;
}

/** How often a request that failed is sent again. */
interface RetryOptions {
  /** Outside sessions, each through another upstream while there is one; 0 or more. Inside sessions only the client can ask for it. @default 5 */
  readonly default?: number | string | undefined;
  /** Whether the number in `X-Crawlera-Max-Retries` counts what follows the first attempt, or all. @default 'retries' */
  readonly headerMeans?: 'retries' | 'attempts' | undefined;
}

/** What a ban looks like. */
interface BanRuleOptions {
  /** Statuses of answers, 200 to 999, that mean one. @default [403, 429, 503] */
  readonly statuses?: readonly (number | string)[] | undefined;
  /** Regular expressions; a page whose beginning (64 KiB, decoded) matches one, means one too. @default [] */
  readonly bodyPatterns?: readonly string[] | undefined;
}

/** By what a target's refusal of an outgoing IP is known, and what follows. */
interface BanOptions extends BanRuleOptions {
  /** Rules of particular domains, in place of those above; each covers its sub-domains, the longest name wins. @default {} */
  readonly domains?: Readonly<Record<string, BanRuleOptions>> | undefined;
  /** How long that IP is kept from that domain; 0 keeps it from nothing. @default '10m' */
  readonly cooldown?: Duration | undefined;
}

/** How long is waited for what others do. */
interface TimeoutOptions {
  /** For a connection to an upstream or target to stand; above 0. @default '10s' */
  readonly connect?: Duration | undefined;
  /** For the head of an answer, from the moment the request is out; above 0. @default '30s' */
  readonly response?: Duration | undefined;
}

/** How much may pass. */
interface LimitOptions {
  /** The longest body of a request, above 0; a longer one gets 413. @default '100MB' */
  readonly requestBytes?: Size | undefined;
  /** The longest body of an answer, above 0; a longer one gets 541, or ends in the middle. @default '500MB' */
  readonly responseBytes?: Size | undefined;
}

/** Which targets may be asked. */
interface TargetOptions {
  /** Whether private, loopback and link-local addresses may; otherwise they get 523. @default false */
  readonly allowPrivate?: boolean | undefined;
  /** Domains that may be asked, sub-domains included; `*` is all. Others get 523. @default ['*'] */
  readonly allow?: readonly string[] | undefined;
  /** Domains that may not, even if `allow` has them. @default [] */
  readonly deny?: readonly string[] | undefined;
  /** Domains whose certificates are not verified. @default [] */
  readonly insecure?: readonly string[] | undefined;
}

/** Which upstreams are asked whether they work. */
interface HealthOptions {
  /** Requests of the gateway's own. @default none are made */
  readonly probe?: ProbeOptions | undefined;
}

/** Requests through upstreams that are down, or that nothing was heard of for a while. */
interface ProbeOptions {
  /** What to ask for, `http://` or `https://`; any answer of it is a sign of life. */
  readonly url: string;
  /** An upstream is asked when nothing was heard of it for this long; above 0. @default '5m' */
  readonly interval?: Duration | undefined;
  /** Requests in a minute, over all upstreams together; 1 or more. @default 30 */
  readonly perMinute?: number | string | undefined;
}

/** How outgoing IPs become known, and what follows when one changes. */
interface OutgoingIpOptions {
  /**
   * Asked through each upstream whose outgoing IP is not configured, and through the exit of each session; it answers with
   * the address it sees: as text, or as JSON with a member `ip`, `origin` or `query`. @default nobody is asked
   */
  readonly echoUrl?: string | undefined;
  /** What becomes of a session whose outgoing IP is found to have changed: it goes on, or it ends. @default 'tell' */
  readonly onChange?: 'tell' | 'end' | undefined;
}

/** Files of a certificate authority, PEM; both or none. */
interface CaOptions {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** The life of a session whose ID its client chose. */
interface ZyteOptions {
  /** It ends this long after its creation, above 0. @default '15m' */
  readonly ttl?: Duration | undefined;
  /** It ends this long after its last use, above 0. @default '2m' */
  readonly idleTtl?: Duration | undefined;
}

/** What is logged, and how it is written. */
interface LogOptions {
  /** The least that is logged. @default 'info' */
  readonly level?: LogLevel | undefined;
  /** Lines for people or for programs. @default 'pretty' on a terminal, else 'json' */
  readonly format?: LogFormat | undefined;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFormat = 'pretty' | 'json';

/** Which CONNECTs are intercepted. */
export type InterceptMode = 'auto' | 'always' | 'never';
