// Where the blind tunnels of a session lead, and until when one was open, so that a client can find out whether what it
// loaded came through its own session. Nothing is paced or refused by it.

/**
 * Targets remembered per session; past it one without an open tunnel leaves, the one closed for longest first. Ours: a
 * page that names more hosts than this is rare, and who reads a full list knows that something may be missing.
 */
export const MAX_SESSION_TUNNELS = 64;

/** Tunnels of a session to one target. */
export interface SessionTunnel {
  /** `host:port` */
  readonly target: string;
  /** How many are open, or held until they may be opened. */
  open: number;
  /** When the last one was closed, epoch milliseconds; says nothing while one is open. */
  closedAtMs: number;
}

/** Notes that a tunnel was asked for. */
export function noteOpened(tunnels: SessionTunnel[], target: string): void {
  const known = tunnels.find((tunnel) => tunnel.target === target);
  if (known !== undefined) {
    known.open += 1;
    return;
  }
  if (tunnels.length >= MAX_SESSION_TUNNELS) tunnels.splice(indexToForget(tunnels), 1);
  tunnels.push({ target, open: 1, closedAtMs: 0 });
}

/** Notes that a tunnel was closed, or never came about. */
export function noteClosed(tunnels: readonly SessionTunnel[] | undefined, target: string, nowMs: number): void {
  const known = tunnels?.find((tunnel) => tunnel.target === target);
  if (known === undefined) return;
  // One that was forgotten while it was open, and remembered for another, would count below nothing.
  known.open = Math.max(0, known.open - 1);
  known.closedAtMs = nowMs;
}

/** Where all are open, the one that was asked for first. */
function indexToForget(tunnels: readonly SessionTunnel[]): number {
  let found = 0;
  for (const [index, { open, closedAtMs }] of tunnels.entries()) {
    const best = tunnels[found] as SessionTunnel;
    if (open === 0 && (best.open > 0 || closedAtMs < best.closedAtMs)) found = index;
  }
  return found;
}
