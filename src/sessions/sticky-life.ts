// When a vendor of proxies forgets which outgoing IP a sticky session of its had. What is done about it is decided by
// whoever holds the session.

/** How long a vendor keeps the outgoing IP of a sticky session. */
export interface StickyLife {
  /** Milliseconds it is kept after what `countsFrom` says. */
  readonly stickyMs: number;
  /** The last use, which renews it, or the first, after which nothing does. */
  readonly countsFrom: 'use' | 'creation';
  /** Set where it is forgotten sooner if it goes unused this long. */
  readonly stickyIdleMs?: number | undefined;
}

/** When a sticky session was used, epoch milliseconds. */
export interface StickyUses {
  readonly firstUsedAtMs: number;
  readonly lastUsedAtMs: number;
}

/**
 * Tells until when a sticky session has its outgoing IP for sure, unless the machine behind it goes away. A use that
 * starts at this moment or later may leave by another.
 *
 * @returns epoch milliseconds
 */
export function stickyEndsAtMs(life: StickyLife, { firstUsedAtMs, lastUsedAtMs }: StickyUses): number {
  const { stickyMs, countsFrom, stickyIdleMs = Infinity } = life;
  const endsAtMs = (countsFrom === 'use' ? lastUsedAtMs : firstUsedAtMs) + stickyMs;
  return Math.min(endsAtMs, lastUsedAtMs + stickyIdleMs);
}
