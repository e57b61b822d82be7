// Runs checks one after the other, each in a world of its own, and notes how each ended. A check that gets no answer is
// ended after its time; everything it opened is closed before the next begins.

import { type Check, CheckFailure, CheckSkip, classOf, type EvidenceClass } from './check.js';
import { createNeeds, type Needs, reachServer } from './needs.js';
import type { Settings } from './options.js';
import { createTarget } from './targets/target.js';
import { type Targets, World } from './world.js';

/** How a check ended. */
export interface Result {
  readonly check: Check;
  readonly class: EvidenceClass;
  readonly outcome: 'pass' | 'fail' | 'skip';
  /** Why it failed, or was not run. */
  readonly reason: string | undefined;
  readonly tookMs: number;
}

/** Longer ones are run on demand. */
const AFFORDABLE_MS = 30_000;

/** For what a check does beside waiting for delays. */
const PATIENCE_MS = 20_000;

/** No check waits for more than this many delays unless it says so. */
const DELAYS_A_CHECK = 20;

/** Runs checks against a server. @throws Error when it can't be reached at all */
export async function runChecks(settings: Settings, checks: readonly Check[]): Promise<Result[]> {
  const targets = {
    plain: await createTarget(settings.targetHost, 'http'),
    secure: await createTarget(settings.targetHost, 'https'),
  };
  const results: Result[] = [];
  try {
    await reach(new World(settings, targets));
    const needs = createNeeds(() => new World(settings, targets));
    for (const check of checks) results.push(await runOne(check, { settings, targets, needs }));
  } finally {
    await Promise.all([targets.plain.close(), targets.secure.close()]);
  }
  return results;
}

interface Run {
  readonly settings: Settings;
  readonly targets: Targets;
  readonly needs: Needs;
}

async function runOne(check: Check, run: Run): Promise<Result> {
  const startedAtMs = performance.now();
  const result = (outcome: Result['outcome'], reason?: string): Result => {
    const tookMs = Math.round(performance.now() - startedAtMs);
    return { check, class: classOf(check.evidence), outcome, reason, tookMs };
  };
  const obstacle = await obstacleTo(check, run);
  if (obstacle !== undefined) return result('skip', obstacle);
  try {
    await attempt(check, run);
    return result('pass');
  } catch (error) {
    if (error instanceof CheckSkip) return result('skip', error.message);
    // Anything else a check meets, such as a reset connection, is the server's doing too.
    return result('fail', error instanceof CheckFailure ? error.message : String(error));
  }
}

async function obstacleTo({ needs: wanted = [], takesMs }: Check, { settings, needs }: Run) {
  for (const need of wanted) {
    const reason = await needs.missing(need);
    if (reason !== undefined) return reason;
  }
  const tookMs = takesMs?.(settings.delays) ?? 0;
  if (tookMs <= AFFORDABLE_MS || settings.slow) return undefined;
  return `takes about ${Math.ceil(tookMs / 1000)} s: --slow runs it`;
}

/** @throws what the check throws, or CheckFailure when its time is over */
async function attempt(check: Check, { settings, targets, needs }: Run): Promise<void> {
  const world = new World(settings, targets, await needs.ca());
  const waitsMs = Math.max(DELAYS_A_CHECK * settings.delays.delayMs, 2 * (check.takesMs?.(settings.delays) ?? 0));
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    const timeoutMs = PATIENCE_MS + waitsMs;
    timer = setTimeout(() => reject(new CheckFailure(`nothing came within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    await Promise.race([check.run(world), overdue]);
  } finally {
    clearTimeout(timer);
    await world.close();
  }
}

async function reach(world: World): Promise<void> {
  try {
    await reachServer(world);
  } finally {
    await world.close();
  }
}
