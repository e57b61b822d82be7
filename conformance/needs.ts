// Finds out, once a run, what the server and this machine allow: whether a check can tell anything here. Answers with
// the reason why not; judges nothing.

import net from 'node:net';
import type { Need } from './check.js';
import { CheckSkip } from './check.js';
import { valueOf } from './expect.js';
import type { World } from './world.js';
import type { Answer } from './wire/read-answer.js';

/** Looks what there is. */
export interface Needs {
  /** Why a need isn't met; undefined if it is. */
  readonly missing: (need: Need) => Promise<string | undefined>;
  /** The certificate that intercepted targets are signed by, if there is one. */
  readonly ca: () => Promise<string | undefined>;
}

/** Makes the probes of a run; each is asked at most once. @param open makes the tools of a probe */
export function createNeeds(open: () => World): Needs {
  const known = new Map<Need, Promise<string | undefined>>();
  let ca: Promise<string | undefined> | undefined;
  return {
    missing: (need) => {
      const found = known.get(need) ?? runProbe(open(), PROBES[need]);
      known.set(need, found);
      return found;
    },
    ca: () => (ca ??= lookForCa(open())),
  };
}

type Probe = (world: World) => Promise<string | undefined> | string | undefined;

const PROBES: Readonly<Record<Need, Probe>> = {
  target: probeTarget,
  'https-target': probeSecureTarget,
  interception: async (world) =>
    (await findCa(world)) === undefined ? 'no CA at /ca.crt and none given with --ca' : probeSecureTarget(world),
  sites: ({ settings }) =>
    settings.targetHost.startsWith('127.') ? undefined : 'needs targets on hosts of their own, as 127.0.0.0/8 has',
  'two-ips': async (world) => {
    await world.sessionsOnTwoIps();
    return undefined;
  },
  delay: ({ delays }) => (delays.delayMs > 0 ? undefined : 'the server keeps no delay'),
  'other-key': ({ settings }) => given(settings.otherKey, 'a second API key: --other-key'),
  'max-sessions': ({ settings }) => given(settings.maxSessions, 'the limit: --max-sessions'),
  'max-connections': ({ settings }) => given(settings.maxConnections, 'the limit: --max-connections'),
  'forbidden-host': ({ settings }) => given(settings.forbiddenHost, 'such a host: --forbidden-host'),
};

async function runProbe(world: World, probe: Probe): Promise<string | undefined> {
  const patienceMs = 30_000 + 20 * world.delays.delayMs;
  const timer = setTimeout(() => world.client.close(), patienceMs);
  try {
    return await probe(world);
  } catch (error) {
    if (error instanceof CheckSkip) return error.message;
    return `could not find out: ${(error as Error).message}`;
  } finally {
    clearTimeout(timer);
    await world.close();
  }
}

async function probeTarget(world: World): Promise<string | undefined> {
  const page = world.page();
  const answer = await world.get(page);
  return page.arrivals.length === 1 && answer.status === 200
    ? undefined
    : `the server does not fetch a target on ${page.authority}: ${told(answer)}`;
}

async function probeSecureTarget(world: World): Promise<string | undefined> {
  const page = world.securePage();
  const tunnel = await world.secureTunnel(page, { ca: undefined });
  const answer = await tunnel.ask(page.path);
  return page.arrivals.length === 1 && answer.status === 200
    ? undefined
    : `the server does not fetch an https target with a self-signed certificate: ${told(answer)}`;
}

async function lookForCa(world: World): Promise<string | undefined> {
  try {
    return await findCa(world);
  } catch {
    // A server that can't be asked for one has none; what else is wrong with it, its checks tell.
    return undefined;
  } finally {
    await world.close();
  }
}

async function findCa({ settings, client }: World): Promise<string | undefined> {
  if (settings.ca !== undefined) return settings.ca;
  const answer = await client.send({ to: '/ca.crt', credentials: [] });
  return answer.status === 200 && answer.body.includes('BEGIN CERTIFICATE') ? answer.body : undefined;
}

function given(value: unknown, what: string): string | undefined {
  return value === undefined ? `needs ${what}` : undefined;
}

function told(answer: Answer): string {
  return `${answer.status} ${valueOf(answer, 'X-Crawlera-Error') ?? ''} ${answer.body.slice(0, 100).trim()}`.trim();
}

/** Whether there is a server at all. @throws Error with the reason when there is none */
export async function reachServer({ client }: World): Promise<void> {
  const socket = await client.dial();
  if (net.isIP(socket.remoteAddress ?? '') === 0) throw new Error('the server closed the connection at once');
}
