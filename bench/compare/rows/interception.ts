// The rows of interception: what `npm run bench:intercept` measures, shown among the others.

import path from 'node:path';

import { formatSpread } from '../../shared/spread.js';
import { INSTALL_PEER } from '../../intercept/contenders.js';
import { measure, WAYS } from '../../intercept/measure.js';
import { AIM, compare, type Comparison, type Cost } from '../../intercept/results.js';
import { TITLES } from '../../intercept/report.js';
import type { Bench } from '../bench.js';
import type { Judged } from '../results.js';
import type { Row } from '../row.js';

/** One row for each way; both are measured when the first is asked for. */
export const INTERCEPTION: readonly Row[] = WAYS.map((way) => {
  const [name, title] = [`intercept-${way}`, `interception: ${TITLES[way]}`];
  return {
    name,
    title,
    async run(bench) {
      const { names, comparisons } = await measured(bench);
      const comparison = comparisons.find((one) => one.way === way) as Comparison;
      const { ours, peer } = comparison;
      return {
        name,
        title,
        columns: ['', 'requests/s', 'CPU us/request', 'its processor'],
        table: [tableRow(names.ours, ours), tableRow(names.peer ?? 'mockttp', peer)],
        judged: [judgedOf(comparison)],
        data: comparison,
      };
    },
  };
});

function measured(bench: Bench) {
  return bench.once('interception', async () => {
    const { dist, rounds, seconds, profileDir } = bench.settings;
    const gateway = path.join(dist, 'gateway/index.js');
    const settings = { seconds, rounds, lanes: 16, json: false, check: false, logLevel: 'silent', gateway, profileDir };
    const run = await measure(settings, (progress) => bench.tell(`interception: ${progress}`));
    return { names: run.names, comparisons: compare(run) };
  });
}

function tableRow(label: string, cost: Cost | undefined): readonly string[] {
  if (cost === undefined) return [label, 'not run: mockttp is not installed'];
  const { requestsPerSecond, cpuMicrosPerRequest, load } = cost;
  const used = `${Math.round(100 * load.median)} %`;
  return [label, formatSpread(requestsPerSecond, 0), formatSpread(cpuMicrosPerRequest, 0), used];
}

function judgedOf({ ratio, verdict }: Comparison): Judged {
  const [says, aim] = ['CPU, ours to mockttp', `at most ${AIM}`];
  if (ratio === undefined)
    return { says, value: undefined, why: `mockttp is not installed: ${INSTALL_PEER}`, aim, verdict };
  return { says, value: formatSpread(ratio, 2), aim, verdict };
}
