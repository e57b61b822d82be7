// An upstream whose uses are reported to the health book, so that those who send through it need not know of health. It
// refuses uses while the upstream is left alone, and contacts nobody for them.

import type { HealthBook } from './health.js';
import type { Watch } from './health-page.js';
import type { Exits, Upstream } from './upstream.js';

/** What else is known of an upstream that is watched. */
export interface WatchedKind {
  /** Whether it is an address of this machine: `local://` or `direct://`. */
  readonly isOwnAddress: boolean;
}

/**
 * Reports the uses of an upstream, its exits included; closing it ends that. A request counts when the head of its
 * answer is here: of a body that breaks off nobody knows who broke it.
 */
export function watchUpstream(upstream: Upstream, health: HealthBook, { isOwnAddress }: WatchedKind): Upstream {
  const watch = health.watch(upstream.id, isOwnAddress);
  return {
    ...reported(upstream, watch, undefined),
    ...(upstream.exits !== undefined && { exits: watchedExits(upstream.exits, watch) }),
    close: async () => {
      health.forget(upstream.id, watch);
      await upstream.close();
    },
  };
}

function watchedExits(exits: Exits, watch: Watch): Exits {
  /** As long-lived as the exits themselves, so that one exit stays one object. */
  const watched = new WeakMap<Upstream, Upstream>();
  return {
    draw: (seed) => exits.draw(seed),
    through(exit) {
      const upstream = exits.through(exit);
      const known = watched.get(upstream);
      if (known !== undefined) return known;
      const made = reported(upstream, watch, exit);
      watched.set(upstream, made);
      return made;
    },
  };
}

/** The same upstream, whose outcomes go to the book. */
function reported(upstream: Upstream, watch: Watch, exit: string | undefined): Upstream {
  async function report<T>(host: string, run: () => Promise<T>): Promise<T> {
    const isTrial = watch.begin();
    try {
      const outcome = await run();
      watch.succeeded();
      return outcome;
    } catch (error) {
      watch.failed({ error, host, exit }, isTrial);
      throw error;
    }
  }

  return {
    ...upstream,
    dial: (target, signal) => report(target.host, () => upstream.dial(target, signal)),
    request: (request) => report(request.target.host, () => upstream.request(request)),
    upgrade: (request) => report(request.target.host, () => upstream.upgrade(request)),
    close: () => upstream.close(),
  };
}
