// Memory of an open tunnel through which nothing goes: by how much the resident memory of a fresh proxy grows, garbage
// collected before and after.

import { setTimeout } from 'node:timers/promises';

import { formatSpread, spreadOf } from '../../shared/spread.js';
import type { Child } from '../../shared/child.js';
import type { Bench } from '../bench.js';
import type { Contender } from '../contender.js';
import { startProxyChain } from '../contenders.js';
import { startGateway } from '../gateway-contender.js';
import { readyTunnels } from '../loads.js';
import type { Row } from '../row.js';

const [NAME, TUNNELS] = ['idle-tunnels', 2000];
const TITLE = `memory of an idle tunnel, ${TUNNELS} open`;
const AT_MOST = 1.1;

/** Opened and closed before, so that code and first buffers are there. */
const WARM_TUNNELS = 200;
const MAX_ROUNDS = 5;

/** Lets what is done behind an answer end, in milliseconds. */
const SETTLES_WITHIN_MS = 1000;

const FLAGS = ['--expose-gc'];

/** That row. */
export const IDLE_TUNNELS: Row = {
  name: NAME,
  title: TITLE,
  async run(bench) {
    const ours: number[] = [];
    const theirs: number[] = [];
    const labels = ['', ''];
    for (let round = 1; round <= Math.min(bench.settings.rounds, MAX_ROUNDS); round += 1) {
      bench.tell(`${NAME}: round ${round}\n`);
      const gateway = await startGateway(bench, { sessions: TUNNELS, flags: FLAGS });
      ours.push(await kibOfTunnel(bench, gateway));
      const peer = await startProxyChain(bench, { withUser: true, flags: FLAGS });
      theirs.push(await kibOfTunnel(bench, peer));
      labels.splice(0, 2, gateway.label, peer.label);
    }
    const ratio = spreadOf(ours.map((kib, index) => kib / (theirs[index] ?? Number.NaN)));
    return {
      name: NAME,
      title: TITLE,
      columns: ['', 'KiB of resident memory each'],
      table: [ours, theirs].map((all, index) => [labels[index] ?? '', formatSpread(spreadOf(all), 1)]),
      judged: [
        {
          says: `ours to ${labels[1]}`,
          value: formatSpread(ratio, 2),
          aim: `at most ${AT_MOST}`,
          verdict: ratio.median <= AT_MOST ? 'pass' : 'missed',
        },
      ],
      data: { ours, theirs, ratio },
    };
  },
};

async function kibOfTunnel(bench: Bench, proxy: Contender & { readonly child: Child }): Promise<number> {
  const { child } = proxy;
  const resident = async (): Promise<number> => {
    await setTimeout(SETTLES_WITHIN_MS);
    return child.ask<number>('residentBytes');
  };
  const warm = await readyTunnels(bench, proxy, { does: 'requests', lanes: WARM_TUNNELS });
  await warm.begin();
  await warm.end();
  const before = await resident();
  const idle = await readyTunnels(bench, proxy, { does: 'requests', lanes: TUNNELS });
  await idle.begin();
  const after = await resident();
  await idle.end();
  await child.close();
  return (after - before) / 1024 / TUNNELS;
}
