// Which processor each process of a run may use, so that the load takes no time from the proxy it measures.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Processors as `taskset` takes them; undefined where the system places the processes. */
export interface Placement {
  readonly proxies: string | undefined;
  readonly others: string | undefined;
}

/** Gives the proxies, which are driven one at a time, the last processor, and the rest to target and load. */
export function choosePlacement(): Placement {
  const cpus = allowedCpus();
  const proxies = cpus.at(-1);
  if (proxies === undefined || cpus.length < 2 || !hasTaskset()) return { proxies: undefined, others: undefined };
  return { proxies: String(proxies), others: cpus.slice(0, -1).join(',') };
}

/** The command that runs another one on these processors; the process is the same, for `taskset` becomes it. */
export function pinned(
  cpus: string | undefined,
  command: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  return cpus === undefined ? command : ['taskset', '-c', cpus, ...command];
}

/** Those this process may use, which in a container need not be the first. None where the system does not say. */
function allowedCpus(): readonly number[] {
  if (process.platform !== 'linux') return [];
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number);
    return Number.isNaN(from) ? [] : Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

function hasTaskset(): boolean {
  return spawnSync('taskset', ['--version']).status === 0;
}
