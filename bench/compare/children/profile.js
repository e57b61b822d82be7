// CPU profiles of this process: written when it exits, or what part of it is spent in functions of some files and what they
// call.

import { mkdirSync, writeFileSync } from 'node:fs';
import { Session as CallbackSession } from 'node:inspector';
import { Session } from 'node:inspector/promises';
import path from 'node:path';

/** Between two looks at the stack, in microseconds. */
const EVERY_MICROS = 200;

/** Frames that V8 makes up; `(program)` is native code, the system's calls included, and is time like any other. */
const IDLE = '(idle)';

/**
 * Starts to look at the stack.
 *
 * @returns a function that stops it and tells the share of time under each group of files
 */
export async function startProfile() {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: EVERY_MICROS });
  await session.post('Profiler.start');
  return async (groups) => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return sharesOf(profile, groups);
  };
}

/** Profiles this process from now on, and writes that into the directory when it exits. */
export function profileUntilExit(directory) {
  const session = new CallbackSession();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.start');
  process.once('exit', () => {
    // In one's own thread the answer is there before `post` returns.
    session.post('Profiler.stop', (error, answer) => {
      if (error !== null) throw error;
      mkdirSync(directory, { recursive: true });
      writeFileSync(path.join(directory, `gateway-${process.pid}.cpuprofile`), JSON.stringify(answer.profile));
    });
  });
}

/** @param groups patterns of `file#function`, by name; a sample counts for the outermost that is on its stack */
function sharesOf({ nodes, samples, timeDeltas }, groups) {
  const patterns = Object.entries(groups).map(([name, pattern]) => [name, new RegExp(pattern)]);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const groupOf = new Map();
  const mark = (node, above) => {
    const { url, functionName } = node.callFrame;
    const own = above ?? patterns.find(([, pattern]) => pattern.test(`${url}#${functionName}`))?.[0];
    groupOf.set(node.id, own);
    for (const child of node.children ?? []) mark(byId.get(child), own);
  };
  mark(nodes[0], undefined);
  const micros = { all: 0 };
  samples.forEach((id, index) => {
    if (byId.get(id).callFrame.functionName === IDLE) return;
    micros.all += timeDeltas[index];
    const group = groupOf.get(id);
    if (group !== undefined) micros[group] = (micros[group] ?? 0) + timeDeltas[index];
  });
  return micros;
}
