// The rows in which contenders take turns: plain requests, large bodies, bulk and requests through tunnels, set-ups. Which
// contenders, what is asked of the gateway, and how the outcome is shown.

import { formatSpread } from '../shared/spread.js';
import type { Bench } from './bench.js';
import { hold, type Contest, type Outcome } from './contest.js';
import type { ContenderName } from './contenders.js';
import { type PlainWork, readyPlain, readyTunnels, type TunnelWork } from './loads.js';
import { compare, type Comparison, costOf, type Judged, type Ratio } from './results.js';
import type { Row, Section } from './row.js';

const ALL = [
  'gateway',
  'proxy-chain',
  'proxy-chain-auth',
  'forwarder',
  'squid',
  'squid-auth',
  'tinyproxy-auth',
  'none',
] as const;
const WITH_TUNNELS = [
  'gateway',
  'proxy-chain',
  'proxy-chain-auth',
  'squid',
  'squid-auth',
  'tinyproxy-auth',
  'none',
] as const;

interface Asked {
  readonly name: string;
  readonly title: string;
  readonly contenders?: readonly ContenderName[];
  readonly comparisons: readonly Comparison[];
}

/** Those rows. */
export const CONTESTS: readonly Row[] = [
  plain(
    { clients: 64, answerBytes: 1024 },
    {
      name: 'plain-64',
      title: '1 KiB over plain HTTP, 64 clients',
      comparisons: [
        { against: 'proxy-chain', atLeast: 1.8 },
        { against: 'squid-auth', atLeast: 1 },
        { against: 'forwarder' },
      ],
    },
  ),
  plain(
    { clients: 1, answerBytes: 1024 },
    { name: 'plain-1', title: '1 KiB over plain HTTP, 1 client', comparisons: shown() },
  ),
  plain(
    { clients: 256, answerBytes: 1024 },
    { name: 'plain-256', title: '1 KiB over plain HTTP, 256 clients', comparisons: shown() },
  ),
  plain(
    { clients: 16, answerBytes: 1024 * 1024 },
    {
      name: 'large',
      title: '1 MiB over plain HTTP, 16 clients',
      comparisons: [
        { against: 'proxy-chain', atLeast: 1.5 },
        { against: 'forwarder', atLeast: 1 },
        { against: 'squid-auth' },
      ],
    },
  ),
  tunnels(
    { does: 'down', lanes: 16 },
    { name: 'bulk-down-16', title: 'bulk from the target through 16 tunnels', comparisons: bulkAsked() },
  ),
  tunnels(
    { does: 'down', lanes: 1 },
    { name: 'bulk-down-1', title: 'bulk from the target through 1 tunnel', comparisons: bulkShown() },
  ),
  tunnels(
    { does: 'up', lanes: 16 },
    { name: 'bulk-up-16', title: 'bulk to the target through 16 tunnels', comparisons: bulkShown() },
  ),
  tunnels(
    { does: 'up', lanes: 1 },
    { name: 'bulk-up-1', title: 'bulk to the target through 1 tunnel', comparisons: bulkShown() },
  ),
  tunnels(
    { does: 'requests', lanes: 64 },
    {
      name: 'in-tunnel',
      title: 'requests for 1 KiB in 64 open tunnels',
      comparisons: [{ against: 'proxy-chain', atLeast: 1 }, { against: 'squid-auth' }],
    },
  ),
  tunnels(
    { does: 'set-ups', lanes: 64 },
    {
      name: 'tunnel-setup',
      title: 'tunnel set-ups, 64 at a time: connect, CONNECT, one small request, close',
      comparisons: [{ against: 'proxy-chain', atLeast: 1 }, { against: 'squid-auth' }],
    },
  ),
];

function shown(): readonly Comparison[] {
  return [{ against: 'proxy-chain' }, { against: 'squid-auth' }, { against: 'forwarder' }];
}

function bulkShown(): readonly Comparison[] {
  return [{ against: 'proxy-chain' }, { against: 'squid-auth' }];
}

function bulkAsked(): readonly Comparison[] {
  return [
    { against: 'proxy-chain', atLeast: 2 },
    { against: 'squid-auth', atLeast: 1.2 },
  ];
}

function plain(work: PlainWork, { name, title, comparisons }: Asked): Row {
  const kind = `requests for ${work.answerBytes} bytes`;
  return row({ name, title, kind, unit: 'request', contenders: ALL }, comparisons, (bench, one) =>
    readyPlain(bench, one, work),
  );
}

function tunnels(work: TunnelWork, { name, title, comparisons }: Asked): Row {
  const unit = { requests: 'request', 'set-ups': 'set-up', down: 'MB', up: 'MB' }[work.does];
  const contest = { name, title, kind: `tunnels: ${work.does}`, unit, contenders: WITH_TUNNELS };
  return row(contest, comparisons, (bench, one) => readyTunnels(bench, one, work));
}

function row(
  contest: Omit<Contest, 'ready'>,
  comparisons: readonly Comparison[],
  ready: (bench: Bench, ...given: Parameters<Contest['ready']>) => ReturnType<Contest['ready']>,
): Row {
  return {
    name: contest.name,
    title: contest.title,
    async run(bench) {
      const outcome = await hold(bench, { ...contest, ready: (one) => ready(bench, one) });
      const ratios = comparisons.map((comparison) => compare(outcome, comparison, bench.settings.by));
      return sectionOf(contest, { outcome, ratios, by: bench.settings.by });
    },
  };
}

interface Results {
  readonly outcome: Outcome;
  readonly ratios: readonly Ratio[];
  readonly by: 'rate' | 'cpu';
}

function sectionOf(
  { name, title, unit, contenders }: Omit<Contest, 'ready'>,
  { outcome, ratios, by }: Results,
): Section {
  return {
    name,
    title,
    columns: ['', `${unit}s/s`, `CPU us/${unit}`, 'its processor', 'that of the load'],
    table: contenders.map((contender) => tableRow(outcome, contender)),
    judged: ratios.map((ratio) => judgedOf(outcome, ratio, by)),
    data: { unit, ratios, ...outcome },
  };
}

/** From this part of its processor's time on, the load may be what keeps a proxy from doing more. */
const LOAD_LIMIT = 0.85;

function tableRow(outcome: Outcome, name: ContenderName): readonly string[] {
  const label = outcome.labels[name] ?? name;
  const cost = costOf(outcome, name);
  if (cost === undefined) return [label, `not run: ${outcome.missing[name]}`];
  const { perSecond, cpuMicros, proxyLoad, loadLoad } = cost;
  return [
    label,
    formatSpread(perSecond, 0),
    cpuMicros === undefined ? '' : formatSpread(cpuMicros, 0),
    proxyLoad === undefined ? '' : percent(proxyLoad),
    `${percent(loadLoad)}${loadLoad > LOAD_LIMIT && proxyLoad !== undefined ? ', its limit' : ''}`,
  ];
}

function judgedOf(outcome: Outcome, { against, atLeast, rate, cpu, verdict }: Ratio, by: Results['by']): Judged {
  const other = outcome.labels[against] ?? against;
  const aim = atLeast === undefined ? undefined : `at least ${atLeast}${by === 'cpu' ? ' by CPU' : ''}`;
  const says = `ours to ${other}`;
  if (rate === undefined || cpu === undefined)
    return { says, value: undefined, why: outcome.missing[against], aim, verdict };
  return {
    says,
    value: `${formatSpread(rate, 2)}, by CPU ${formatSpread(cpu, 2)}${beyond(against, cpu.median)}`,
    aim,
    verdict,
  };
}

/** What part of our processor time the bare forwarder does without. */
function beyond(against: ContenderName, cpu: number): string {
  return against === 'forwarder' ? `; ${percent(1 - cpu)} of our CPU goes beyond it` : '';
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}
