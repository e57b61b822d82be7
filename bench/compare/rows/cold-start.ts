// How long a start takes, from the new process to the first request it has answered: the command with a configuration and
// its log, beside a script that starts bare proxy-chain.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { pinned } from '../../shared/placement.js';
import { cpuMicrosOf } from '../../shared/processor-time.js';
import { formatSpread, spreadOf } from '../../shared/spread.js';
import type { Bench } from '../bench.js';
import { packageLabel, PROXY_CHAIN, ROOT } from '../contender.js';
import { type Row } from '../row.js';

const [NAME, TITLE] = ['cold-start', 'from the new process to its first answered request'];
const API_KEY = 'benchmark-key';
const AT_MOST = 1.8;

/** Starts of each that count, for one round. */
const STARTS_PER_ROUND = 2;

interface Starting {
  readonly label: string;
  readonly command: readonly [string, ...string[]];
  readonly authorization?: string | undefined;
}

interface Start {
  readonly tookMs: number;
  readonly cpuMs: number;
}

/** That row. */
export const COLD_START: Row = {
  name: NAME,
  title: TITLE,
  async run(bench) {
    const [ours, peer] = await startAll(bench);
    const ratios = {
      rate: spreadOf(ours.starts.map(({ tookMs }, index) => tookMs / (peer.starts[index]?.tookMs ?? Number.NaN))),
      cpu: spreadOf(ours.starts.map(({ cpuMs }, index) => cpuMs / (peer.starts[index]?.cpuMs ?? Number.NaN))),
    };
    const { by } = bench.settings;
    return {
      name: NAME,
      title: TITLE,
      columns: ['', 'ms', 'CPU ms'],
      table: [ours, peer].map(({ label, starts }) => [
        label,
        formatSpread(spreadOf(starts.map(({ tookMs }) => tookMs)), 0),
        formatSpread(spreadOf(starts.map(({ cpuMs }) => cpuMs)), 0),
      ]),
      judged: [
        {
          says: `ours to ${peer.label}`,
          value: `${formatSpread(ratios.rate, 2)}, by CPU ${formatSpread(ratios.cpu, 2)}`,
          aim: `at most ${AT_MOST}${by === 'cpu' ? ' by CPU' : ''}`,
          verdict: ratios[by].median <= AT_MOST ? 'pass' : 'missed',
        },
      ],
      data: { ours, peer, ratios },
    };
  },
};

/** Starts them in turns. The first start of each is not counted: it reads files that the next ones find in memory. */
async function startAll(bench: Bench) {
  const { ports } = await bench.target();
  const [ours, peer] = [
    { ...(await ourStart(bench)), starts: [] as Start[] },
    { ...peerStart(), starts: [] as Start[] },
  ];
  const count = STARTS_PER_ROUND * bench.settings.rounds;
  for (let start = 0; start <= count; start += 1) {
    bench.tell(`${NAME}: start ${start} of ${count}\n`);
    for (const one of [ours, peer]) {
      const took = await startOnce(bench, one, ports.answers);
      if (start > 0) one.starts.push(took);
    }
  }
  return [ours, peer] as const;
}

async function ourStart(bench: Bench): Promise<Starting> {
  const file = path.join(bench.directory, 'cold-start.yaml');
  const options = {
    host: '127.0.0.1',
    port: 0,
    apiKeys: [API_KEY],
    upstreams: ['direct://'],
    targets: { allowPrivate: true },
    dataDir: bench.directory,
    log: { level: 'info', format: 'json' },
  };
  // JSON is YAML too.
  await writeFile(file, JSON.stringify(options));
  return {
    label: packageLabel(path.join(ROOT, 'package.json')),
    command: [process.execPath, path.resolve(bench.settings.dist, 'cli/main.js'), 'serve', '--config', file],
    authorization: `Basic ${btoa(`${API_KEY}:`)}`,
  };
}

function peerStart(): Starting {
  const script = fileURLToPath(new URL('../children/serve-proxy-chain.js', import.meta.url));
  return { label: PROXY_CHAIN, command: [process.execPath, script] };
}

async function startOnce(bench: Bench, { command, authorization }: Starting, targetPort: number): Promise<Start> {
  const [program, ...args] = pinned(bench.placement.proxies, command);
  const startedAtMs = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  // Its log: written, as it would be, and read by nobody.
  child.stderr.resume();
  const exited = once(child, 'exit');
  try {
    await ask(await portOf(child), { targetPort, authorization });
    const tookMs = performance.now() - startedAtMs;
    return { tookMs, cpuMs: cpuMicrosOf(child.pid as number) / 1000 };
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

/** The port that a line of its output ends with. @throws where it ends without one */
async function portOf(child: ChildProcess): Promise<number> {
  let printed = '';
  for await (const chunk of child.stdout ?? []) {
    printed += String(chunk);
    const port = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(printed)?.[1];
    if (port === undefined) continue;
    return Number(port);
  }
  throw new Error(`A start failed: ${printed}`);
}

interface Asked {
  readonly targetPort: number;
  readonly authorization: string | undefined;
}

async function ask(port: number, { targetPort, authorization }: Asked): Promise<void> {
  const headers = {
    Host: `127.0.0.1:${targetPort}`,
    ...(authorization === undefined ? {} : { 'Proxy-Authorization': authorization }),
  };
  const request = http.get({
    port,
    host: '127.0.0.1',
    path: `http://127.0.0.1:${targetPort}/1024`,
    headers,
    agent: false,
  });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  if (response.statusCode !== 200) throw new Error(`The first request was answered with ${response.statusCode}`);
}
