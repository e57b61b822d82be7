// The list of all rows, in the order they are run and shown.

import { CONTESTS } from './contests.js';
import type { Row } from './row.js';
import { COLD_START } from './rows/cold-start.js';
import { IDLE_TUNNELS } from './rows/idle-tunnels.js';
import { INTERCEPTION } from './rows/interception.js';
import { SESSION_MEMORY } from './rows/session-memory.js';
import { SESSION_SHARE } from './rows/session-share.js';

/** All rows. */
export const ROWS: readonly Row[] = [
  ...CONTESTS,
  ...SESSION_SHARE,
  ...INTERCEPTION,
  COLD_START,
  IDLE_TUNNELS,
  ...SESSION_MEMORY,
];

/** The rows whose names begin with one of these; none: all. */
export function chooseRows(only: readonly string[]): readonly Row[] {
  return only.length === 0 ? ROWS : ROWS.filter(({ name }) => only.some((beginning) => name.startsWith(beginning)));
}
