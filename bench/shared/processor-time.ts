// Processor time of processes that are not asked themselves, as Linux counts it: to a hundredth of a second, threads that
// have ended included.

import { readdirSync, readFileSync } from 'node:fs';

/** Of one tick of `/proc`, in microseconds: USER_HZ is 100 on every Linux there is. */
const TICK_MICROS = 10_000;

/**
 * What a process and all its descendants have used so far, in microseconds, the system's work for them included.
 *
 * @throws where a process is not there
 */
export function cpuMicrosOf(pid: number): number {
  return ticksOf(pid) * TICK_MICROS + childrenOf(pid).reduce((sum, child) => sum + cpuMicrosOf(child), 0);
}

/** Fields 14 to 17 of `/proc/PID/stat`; the name before them may hold anything but ends at the last parenthesis. */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Its own, user and system, and that of its children which have ended.
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const written = readChildren(`/proc/${pid}/task/${task}/children`);
    return written.split(' ').filter(Boolean).map(Number);
  });
}

/** A thread may end between the listing and the reading. */
function readChildren(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
