// Keeps the fleet to the list of upstreams that stands in a file or behind a URL, together with those of the
// configuration. At the start a bad list is an error; later the list before it stays in force.

import { createUpstreamSource, type UpstreamSource } from '../upstreams/upstream-source.js';
import { UpstreamListError } from '../upstreams/upstream-list.js';
import { resolveUpstreams, type UpstreamConfig, type UpstreamSpec } from '../upstreams/upstream-url.js';
import type { GatewayContext } from './context.js';
import { NO_UPSTREAM } from './option-checks.js';
import { ConfigurationError } from './option-faults.js';
import type { ResolvedOptions } from './options.js';

/** The list of a gateway that has one. */
export interface UpstreamList {
  /** Reads the list and watches it from then on. @throws ConfigurationError */
  start(): Promise<void>;
  close(): void;
}

/** Makes the list of a gateway; undefined where the options name none. */
export function createUpstreamList(
  { upstreams, upstreamsFile }: Pick<ResolvedOptions, 'upstreams' | 'upstreamsFile'>,
  { fleet, emit }: Pick<GatewayContext, 'fleet' | 'emit'>,
): UpstreamList | undefined {
  if (upstreamsFile === undefined) return undefined;
  const source = createUpstreamSource(upstreamsFile);
  const onFault = ({ line, message }: UpstreamListError): void => emit({ type: 'upstreams.refused', line, message });
  const onList = (urls: readonly string[]): void => {
    try {
      fleet.list(resolveAll(upstreams, urls, source.name));
    } catch (error) {
      onFault(listError(error, source.name));
    }
  };
  return {
    async start() {
      fleet.list(await readUpstreams(upstreams, source));
      source.watch({ onList, onFault });
    },
    close: () => source.close(),
  };
}

/**
 * Reads all upstreams there are at the start, those of the configuration and those of the list.
 *
 * @throws ConfigurationError for a list that can't be read, a line that is no upstream, or where there is none at all
 */
export async function readUpstreams(
  upstreams: readonly UpstreamConfig[],
  source: UpstreamSource,
): Promise<readonly UpstreamSpec[]> {
  try {
    const specs = resolveAll(upstreams, await source.read(), source.name);
    if (specs.length === 0) throw new UpstreamListError(`${source.name} is empty, and ${NO_UPSTREAM}`);
    return specs;
  } catch (error) {
    const { message } = listError(error, source.name);
    throw new ConfigurationError([{ path: 'upstreamsFile', message, origin: undefined }]);
  }
}

function resolveAll(
  upstreams: readonly UpstreamConfig[],
  urls: readonly string[],
  name: string,
): readonly UpstreamSpec[] {
  try {
    return resolveUpstreams([...upstreams, ...urls]);
  } catch (error) {
    throw listError(error, name);
  }
}

function listError(error: unknown, name: string): UpstreamListError {
  if (error instanceof UpstreamListError) return error;
  return new UpstreamListError(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}
