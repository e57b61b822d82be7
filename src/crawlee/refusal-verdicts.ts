// What a refusal of the gateway's means for the crawler: a lost session, a wrong key, a wait, or an ordinary failure, and
// whether the session is to blame. The same whether it came as an answer or as a tunnel; sends nothing.

import {
  gatewayBusy,
  sessionBanned,
  sessionLost,
  targetForbidden,
  withCause,
  withoutRotationWords,
  wrongApiKey,
} from './errors.js';
import type { GatewayAnswer } from './gateway-answers.js';

/** What an error of the gateway's means. */
export interface Verdict {
  readonly error: Error;
  /** Whether the session itself is fine, so that Crawlee's error score must not rise for it. */
  readonly isSessionFine: boolean;
}

/** As much of the gateway's own words as a message repeats. */
const MAX_TOLD_LENGTH = 300;

/** A refused tunnel shows its status only, so these name what that status can mean where the gateway can't be asked. */
const TUNNEL_MEANINGS: Readonly<Record<number, string>> = {
  429: 'too many requests running for this API key; lower maxConcurrency',
  502: 'the target could not be reached',
  503: 'no upstream is usable, or the wait is longer than the gateway holds requests',
  504: 'the target did not answer in time',
  523: 'the gateway does not allow this target; for private addresses start it with --allow-private',
};

/** Statuses of refused tunnels that say nothing about the session. */
const FINE_STATUSES: ReadonlySet<number> = new Set([429, 503, 523]);

/** What codes mean, for refused tunnels of which the gateway tells no more than the code. */
const CODE_MEANINGS: Readonly<Partial<Record<string, string>>> = {
  serverbusy: 'too many requests wait for its outgoing IP',
  too_many_conns: 'too many requests are running for this API key; lower maxConcurrency',
  noslaves: 'no upstream is usable now',
  domain_forbidden:
    'the gateway does not allow this target; for private addresses start it with --allow-private, else see targets.allow and targets.deny',
  nxdomain: 'there is no such name',
  econnrefused: 'the target refused the connection',
  timeout: 'the target did not answer in time',
};

/** Refusals that pass: they cost time, and neither a page nor a session. */
const PASSING: ReadonlySet<string> = new Set(['serverbusy', 'too_many_conns', 'noslaves']);

/**
 * Refusals that say nothing about the session: the gateway has no room or failed, the request or the target is at fault.
 * Those that are left may be the outgoing IP's, for a site may well let its connections hang or reset them.
 */
const BLAMELESS: ReadonlySet<string> = new Set([
  ...PASSING,
  'user_session_limit',
  'internal_error',
  'bad_header',
  'bad_uri',
  'bad_request',
  'request_too_large',
  'headers_too_large',
  'domain_forbidden',
  'nxdomain',
  'econnrefused',
  'bad_cert',
  'data_error',
]);

/** What a refusal was about. */
export interface RefusedTrip {
  readonly gatewayUrl: string;
  readonly targetUrl: string;
  readonly proxySessionId: string | undefined;
}

/** Judges an answer of the gateway's own. `text` is its body, `proxySessionId` the session it was about. */
export function judgeAnswer(
  answer: Pick<GatewayAnswer, 'code' | 'status'> & Partial<GatewayAnswer>,
  { text, ...about }: RefusedTrip & { readonly text: string },
): Verdict {
  const { code, status } = answer;
  const said = text.trim().slice(0, MAX_TOLD_LENGTH) || 'no reason given';
  const message = `The gateway answered ${status} ${code ?? ''} for ${about.targetUrl}: ${said}`;
  return judge(answer, { ...about, message, cause: undefined });
}

/** Judges a tunnel that was refused with a code, which the gateway told when it was asked. */
export function judgeTunnelCode(code: string, { cause, ...about }: RefusedTrip & { readonly cause: unknown }): Verdict {
  const meaning = CODE_MEANINGS[code] ?? 'see its log for the reason';
  const message = `The gateway opened no tunnel for ${about.targetUrl}: ${code}, ${meaning}`;
  return judge({ code }, { ...about, message, cause });
}

/** The same for answers and tunnels. */
function judge(
  { code, status, retryAfterMs }: Partial<GatewayAnswer>,
  about: RefusedTrip & { readonly message: string; readonly cause: unknown },
): Verdict {
  const { gatewayUrl, targetUrl, proxySessionId, message, cause } = about;
  if (status === 407 || code === 'bad_proxy_auth')
    return { error: wrongApiKey(gatewayUrl, cause), isSessionFine: true };
  if (code === 'bad_session_id' && proxySessionId !== undefined) {
    return { error: sessionLost(proxySessionId, cause), isSessionFine: false };
  }
  if (code === 'banned' && proxySessionId !== undefined) {
    const { hostname: host } = new URL(targetUrl);
    return { error: sessionBanned(proxySessionId, { host, retryAfterMs, cause }), isSessionFine: false };
  }
  const isSessionFine = code !== undefined && BLAMELESS.has(code);
  if (code !== undefined && PASSING.has(code)) return { error: gatewayBusy(message, cause), isSessionFine };
  if (code === 'domain_forbidden') return { error: targetForbidden(message, cause), isSessionFine };
  return { error: withCause(new Error(withoutRotationWords(message)), cause), isSessionFine };
}

/**
 * Judges a tunnel that was refused although the gateway knows both key and session, and does not tell why.
 *
 * @param isBusy whether others wait for the session's outgoing IP
 */
export function judgeTunnel(
  status: number,
  { targetUrl, isBusy, cause }: { readonly targetUrl: string; readonly isBusy: boolean; readonly cause: unknown },
): Verdict {
  const meaning = TUNNEL_MEANINGS[status] ?? 'see its log for the reason';
  const message = `The gateway opened no tunnel for ${targetUrl}: ${status}, ${meaning}`;
  if (status === 503 && isBusy) return { error: gatewayBusy(message, cause), isSessionFine: true };
  return { error: withCause(new Error(message), cause), isSessionFine: FINE_STATUSES.has(status) };
}
