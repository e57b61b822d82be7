// All checks in the order they are run: what everything rests on first, what queues up requests last.

import type { Check } from '../check.js';
import { ANSWER_CHECKS } from './answers.js';
import { API_ACCESS_CHECKS } from './api-access.js';
import { AUTH_CHECKS } from './auth.js';
import { BAN_CHECKS } from './bans.js';
import { CONTROL_CHECKS } from './control.js';
import { DELAY_CHECKS } from './delays.js';
import { ERROR_CHECKS } from './errors.js';
import { HTTPS_CHECKS } from './https.js';
import { LADDER_CHECKS } from './ladder.js';
import { LIMIT_CHECKS } from './limits.js';
import { PROFILE_CHECKS } from './profiles.js';
import { RELAY_CHECKS } from './relay.js';
import { RETRY_CHECKS } from './retries.js';
import { SESSION_CHECKS } from './sessions.js';
import { SESSIONS_API_CHECKS } from './sessions-api.js';
import { TUNNEL_SESSION_CHECKS } from './tunnel-sessions.js';

/** Every check there is. */
export const ALL_CHECKS: readonly Check[] = [
  ...AUTH_CHECKS,
  ...SESSIONS_API_CHECKS,
  ...API_ACCESS_CHECKS,
  ...SESSION_CHECKS,
  ...LIMIT_CHECKS,
  ...ANSWER_CHECKS,
  ...RELAY_CHECKS,
  ...HTTPS_CHECKS,
  ...TUNNEL_SESSION_CHECKS,
  ...CONTROL_CHECKS,
  ...PROFILE_CHECKS,
  ...BAN_CHECKS,
  ...RETRY_CHECKS,
  ...ERROR_CHECKS,
  ...DELAY_CHECKS,
  ...LADDER_CHECKS,
];
