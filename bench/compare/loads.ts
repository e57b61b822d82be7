// The clients of the contests, on the processors that the proxies don't use: wrk for plain requests where it is installed,
// else and for tunnels a process of ours.

import { cpuMicrosOf } from '../shared/processor-time.js';
import { REQUEST_HEADERS } from '../shared/request-headers.js';
import type { Bench } from './bench.js';
import type { Contender } from './contender.js';
import type { Done, Driven } from './contest.js';
import { hasWrk, readyWrk } from './wrk.js';

/** Plain requests, so many at a time. */
export interface PlainWork {
  readonly clients: number;
  readonly answerBytes: number;
}

/** Work through tunnels, `lanes` of them at a time. */
export interface TunnelWork {
  readonly does: 'requests' | 'set-ups' | 'down' | 'up';
  readonly lanes: number;
}

/** Plain requests through a contender. */
export async function readyPlain(bench: Bench, one: Contender, work: PlainWork): Promise<Driven> {
  return hasWrk() ? readyWrk(bench, one, work) : readyOwn(bench, one, { does: 'plain', lanes: work.clients, ...work });
}

/** Tunnels through a contender. */
export function readyTunnels(bench: Bench, one: Contender, work: TunnelWork): Promise<Driven> {
  return readyOwn(bench, one, { ...work, answerBytes: 1024 });
}

interface OwnWork {
  readonly does: 'plain' | TunnelWork['does'];
  readonly lanes: number;
  readonly answerBytes: number;
}

async function readyOwn(bench: Bench, one: Contender, work: OwnWork): Promise<Driven> {
  const { child: target, ports } = await bench.target();
  const client = await bench.once('load', async () => {
    return bench.start(new URL('children/load.js', import.meta.url), 'others');
  });
  const job = jobOf(one, work, { answers: ports.answers, down: ports.source, up: ports.sink });
  return {
    begin: () => client.ask('open', job),
    end: () => client.ask('close'),
    async drive(seconds) {
      const before = await target.ask<number>('taken');
      const done = await client.ask<Done>('drive', { seconds });
      // What went up is what has arrived.
      return work.does === 'up' ? { ...done, count: ((await target.ask<number>('taken')) - before) / 1e6 } : done;
    },
    loadMicros: () => cpuMicrosOf(target.pid) + cpuMicrosOf(client.pid),
    close: async () => undefined,
  };
}

interface TargetPortsByWork {
  readonly answers: number;
  readonly down: number;
  readonly up: number;
}

function jobOf({ port, pid, authorization, sessions }: Contender, work: OwnWork, ports: TargetPortsByWork) {
  const targetPort = work.does === 'down' || work.does === 'up' ? ports[work.does] : ports.answers;
  const proxy = pid === undefined ? undefined : { port, authorization };
  return { ...work, proxy, targetPort, headers: REQUEST_HEADERS, sessions: sessions?.slice(0, 5000) };
}
