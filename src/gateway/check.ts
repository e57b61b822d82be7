// Checks all upstreams of a configuration, several at once: what `session-proxy check` shows.

import { systemClock } from '../stores/clock.js';
import { checkUpstream, type CheckedUpstream, type CheckUrl } from '../upstreams/check-upstream.js';
import { createTargetPolicy } from '../upstreams/target-policy.js';
import { createUpstreamSource } from '../upstreams/upstream-source.js';
import { resolveUpstreams, type UpstreamSpec } from '../upstreams/upstream-url.js';
import { askedUrl } from './asked-url.js';
import type { ResolvedOptions } from './options.js';
import { readUpstreams } from './upstream-list.js';

/** Upstreams that are checked at a time. */
const PARALLEL = 16;

/** One upstream, and what was found out about it. */
export interface UpstreamReport extends CheckedUpstream {
  /** Its name; without credentials. */
  readonly upstream: string;
  readonly kind: UpstreamSpec['kind'];
  readonly tookMs: number;
}

/** What is checked. */
export interface UpstreamChecks {
  readonly specs: readonly UpstreamSpec[];
  readonly options: ResolvedOptions;
  /** Told how many are done, of how many. */
  readonly onProgress: (done: number, all: number) => void;
}

/**
 * Reads the upstreams that `serve` would begin with, those of a list in a file or behind a URL included.
 *
 * @throws ConfigurationError for a list that can't be read, or has a bad line
 */
export async function upstreamsToCheck({
  upstreams,
  upstreamsFile,
}: ResolvedOptions): Promise<readonly UpstreamSpec[]> {
  if (upstreamsFile === undefined) return resolveUpstreams(upstreams);
  const source = createUpstreamSource(upstreamsFile);
  try {
    return await readUpstreams(upstreams, source);
  } finally {
    source.close();
  }
}

/** Checks upstreams, and asks through them for the URL that the options name, if they do. Never rejects. */
export async function checkUpstreams(checks: UpstreamChecks): Promise<readonly UpstreamReport[]> {
  const { specs, options, onProgress } = checks;
  const reports: UpstreamReport[] = [];
  const queue = specs.entries();
  const ask = urlToAsk(options);
  let done = 0;
  const work = async (): Promise<void> => {
    for (const [index, spec] of queue) {
      // One after the other, in as many lines as may run at once.
      // oxlint-disable-next-line no-await-in-loop
      reports[index] = await report(spec, options, ask);
      done += 1;
      onProgress(done, specs.length);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return reports;
}

/** The service that tells outgoing IPs, or else what probes ask for. */
function urlToAsk(options: ResolvedOptions): CheckUrl | undefined {
  return askedUrl(options.outgoingIps.echoUrl ?? options.health.probe?.url, options);
}

async function report(
  spec: UpstreamSpec,
  { targets, timeouts }: ResolvedOptions,
  ask: CheckUrl | undefined,
): Promise<UpstreamReport> {
  const policy = createTargetPolicy({ allowPrivate: targets.allowPrivate, isOwnAddress: () => false });
  const options = { policy, connectTimeoutMs: timeouts.connectMs, responseTimeoutMs: timeouts.responseMs };
  const startedAtMs = systemClock.nowMs();
  const checked = await checkUpstream({ spec, options, ask, signal: new AbortController().signal });
  return { upstream: spec.name, kind: spec.kind, tookMs: systemClock.nowMs() - startedAtMs, ...checked };
}
