// What part of the CPU of a plain request goes to its session, its API key and its delay: a profile of the gateway's
// process while requests of many sessions pass, each outgoing IP with a delay that holds nobody up.

import { formatSpread, spreadOf } from '../../shared/spread.js';
import type { Bench } from '../bench.js';
import { startGateway } from '../gateway-contender.js';
import { readyPlain } from '../loads.js';
import type { Row } from '../row.js';

/**
 * Functions whose time counts, with all they call; what else they share with a request that has no session (reading
 * headers, checking the target) counts too, so that the share is rather too great. Patterns of `file#function`.
 */
const PARTS = {
  sessions: '/(stores|sessions)/[\\w-]+\\.js#|/gateway/fleet\\.js#|/gateway/use\\.js#(acquire|upstream)$',
  authentication: '/gateway/(api-keys|admission)\\.js#|/protocol/basic-auth\\.js#',
  delay: '/gateway/waiting-room\\.js#|/gateway/use\\.js#(wait|mustWait)$',
} as const;

type Part = keyof typeof PARTS;
type Micros = { readonly all: number } & { readonly [part in Part]?: number };

/** So many that nobody has to wait for the delay, as long as requests come in turns. */
const OUTGOING_IPS = 250;
const DELAY_MS = 1;
const CLIENTS = 64;

/** Those rows. */
export const SESSION_SHARE: readonly Row[] = [
  row({ sessions: 5000, atMostPercent: 8 }),
  row({ sessions: 100_000, atMostPercent: 12 }),
];

function row({ sessions, atMostPercent }: { readonly sessions: number; readonly atMostPercent: number }): Row {
  const name = `session-share-${sessions / 1000}k`;
  const title = `CPU of a plain request that its session, API key and delay take, ${sessions} sessions`;
  return {
    name,
    title,
    async run(bench) {
      const profiles = await profile(bench, { name, sessions });
      const shareOf = (part: Part) => spreadOf(profiles.map((micros) => (100 * (micros[part] ?? 0)) / micros.all));
      const parts = Object.keys(PARTS) as Part[];
      const all = spreadOf(profiles.map((micros) => (100 * sumOf(micros)) / micros.all));
      return {
        name,
        title,
        columns: ['', 'per cent of its CPU'],
        table: parts.map((part) => [part, formatSpread(shareOf(part), 1)]),
        judged: [
          {
            says: 'session, API key and delay together',
            value: `${formatSpread(all, 1)} %`,
            aim: `at most ${atMostPercent}`,
            verdict: all.median <= atMostPercent ? 'pass' : 'missed',
          },
        ],
        data: { profiles, all },
      };
    },
  };
}

function sumOf(micros: Micros): number {
  return (Object.keys(PARTS) as Part[]).reduce((sum, part) => sum + (micros[part] ?? 0), 0);
}

async function profile(bench: Bench, given: { readonly name: string; readonly sessions: number }): Promise<Micros[]> {
  const { rounds, seconds, warmSeconds } = bench.settings;
  const { sessions } = given;
  bench.tell(`${given.name}: making ${sessions} sessions\n`);
  const options = { upstreams: outgoingIps(), delays: { default: `${DELAY_MS}ms` } };
  const gateway = await startGateway(bench, { sessions, options });
  const driven = await readyPlain(bench, gateway, { clients: CLIENTS, answerBytes: 1024 });
  await driven.drive(2 * warmSeconds);
  const profiles: Micros[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    bench.tell(`${given.name}: round ${round} of ${rounds}\n`);
    await gateway.child.ask('startProfile');
    await driven.drive(seconds);
    const micros = await gateway.child.ask<Micros>('stopProfile', { files: PARTS });
    const lost = (Object.keys(PARTS) as Part[]).find((part) => !micros[part]);
    if (lost !== undefined) throw new Error(`The profile has no time for ${lost}: its functions have other names now`);
    profiles.push(micros);
  }
  await driven.close();
  await gateway.child.close();
  return profiles;
}

function outgoingIps(): readonly string[] {
  return Array.from({ length: OUTGOING_IPS }, (_, index) => `local://127.0.3.${index + 1}`);
}
