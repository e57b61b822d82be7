// How a store's no is put to the client, of a request or of the API alike: what was wrong, and what to do.

import type { Directives } from '../protocol/directives.js';
import { GatewayError } from '../sessions/errors.js';
import type { RefusalCode, Refused } from '../stores/session-store.js';

/** The error of what a store refused. @param asked what the client had asked for, which the message names */
export function refusalError(answer: Refused, asked: Pick<Directives, 'session' | 'traits'>): GatewayError {
  const { code, retryAfterMs, nextRequestInMs } = answer;
  return new GatewayError(code, refusalText(answer, asked), { retryAfterMs, nextRequestInMs });
}

/** Per refusal, what the client is told: what was wrong, and what to do. */
function refusalText(
  { code, retryAfterMs }: Refused,
  { session, traits }: Pick<Directives, 'session' | 'traits'>,
): string {
  const seconds = Math.ceil((retryAfterMs ?? 0) / 1000);
  const which = session?.kind === 'id' || session?.kind === 'chosen' ? session.id : 'of that name';
  const texts: Readonly<Record<RefusalCode, string>> = {
    bad_session_id: `No session ${which} for this API key: it expired or was deleted, or its upstream is gone; create a new one`,
    user_session_limit: 'This API key has as many sessions as allowed (sessions.max); delete some, or let some expire',
    noslaves:
      retryAfterMs !== undefined
        ? `No upstream that this may leave by is usable now; what is down is tried again in ${seconds} s`
        : traits.country === undefined
          ? 'No upstream is usable now; try again later'
          : `No usable upstream is in country "${traits.country}"; give an upstream that country, or ask for another`,
    serverbusy: `Too many requests wait for this outgoing IP: the next would start in ${seconds} s, longer than requests are held (delays.maxHold); try again then`,
    banned: `The target has banned every usable outgoing IP; the first may be used again in ${seconds} s`,
  };
  return texts[code];
}
