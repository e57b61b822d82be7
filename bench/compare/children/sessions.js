// Many sessions in the memory store: made by a use each, used again in any order, expired. Between a few operations the
// event loop turns, as it does between requests.

import { setImmediate } from 'node:timers/promises';

import { answerParent } from '../../shared/parent.js';

/** Operations without a turn of the event loop between them. */
const PER_TURN = 20;

/** Sessions that are over, for each operation there is to end them: what the store does about so many at a time. */
const ENDED_AT_ONCE = 256;

const WARM_SESSIONS = 2000;
const OUTGOING_IPS = 50;
const OWNER = '0123456789abcdef';
const TARGET = { host: 'target.example', site: 'target.example' };
const UPSTREAMS = Array.from({ length: OUTGOING_IPS }, (_, index) => {
  const ip = `127.0.3.${index + 1}`;
  return {
    id: `local://${ip}`,
    name: `local://${ip}`,
    outgoingIp: ip,
    weight: 1,
    country: undefined,
    state: undefined,
    city: undefined,
  };
});

answerParent({
  async keep({ count, store: storeEntry, options, ids }) {
    const { createMemoryStore } = await import(storeEntry);
    const { resolveOptions } = await import(options);
    const { newSessionId } = await import(ids);
    const { rules } = resolveOptions({
      upstreams: ['direct://'],
      delays: { default: 0 },
      sessions: { max: 2 * count, ttl: '1h' },
    });
    const clock = { now: 1_700_000_000_000, nowMs: () => clock.now };
    const store = createMemoryStore({ clock, settings: rules, newId: newSessionId });
    // Makes the code run fast before it counts.
    await create({ store, clock, made: [], count: WARM_SESSIONS });
    await expire({ store, clock, count: WARM_SESSIONS });
    return measure({ store, clock, count });
  },
});

async function measure({ store, clock, count }) {
  const made = Array.from({ length: count }, () => '');
  const before = memory();
  const created = await create({ store, clock, made, count });
  const after = memory();
  const touched = await touch({ store, clock, made, count });
  const expired = await expire({ store, clock, count });
  if ((await store.list({ owner: OWNER, limit: 1 })).sessions.length > 0) throw new Error('Sessions did not expire');
  const parts = { create: created, touch: touched, expire: expired };
  const part = (name) => Object.fromEntries(Object.entries(parts).map(([phase, value]) => [phase, value[name]]));
  return {
    heapBytes: after.heap - before.heap,
    residentBytes: after.resident - before.resident,
    pausesMs: part('pauseMs'),
    operationMicros: part('micros'),
  };
}

function create({ store, clock, made, count }) {
  return inTurns(count, async (index) => {
    clock.now += 1;
    made[index] = await use(store, { kind: 'create' });
  });
}

function touch({ store, clock, made, count }) {
  return inTurns(count, async () => {
    clock.now += 1;
    await use(store, { kind: 'id', id: made[Math.floor(Math.random() * count)] });
  });
}

/** A long time later they are all over, and each operation ends some of them. */
function expire({ store, clock, count }) {
  clock.now += 24 * 60 * 60_000;
  return inTurns(count, (index) => index % ENDED_AT_ONCE === 0 && store.get(OWNER, '0'));
}

/** @returns the ID of the session */
async function use(store, session) {
  const acquired = await store.acquire({
    owner: OWNER,
    session,
    traits: {},
    target: TARGET,
    tunnel: undefined,
    upstreams: UPSTREAMS,
  });
  if (!acquired.ok) throw new Error(`The store refused a use: ${JSON.stringify(acquired)}`);
  await store.release(acquired.ticket, { result: 'answered', bytesIn: 1500, bytesOut: 500 });
  return acquired.session.id;
}

/**
 * Does something so many times.
 *
 * @returns the longest time without a turn of the event loop, as far as this process was running: on a busy machine others
 *   run in between, which the time of the wall can't tell apart
 */
async function inTurns(count, run) {
  let pauseMs = 0;
  let allMs = 0;
  for (let done = 0; done < count; done += PER_TURN) {
    const [startedAtMs, cpuBefore] = [performance.now(), process.cpuUsage()];
    for (let index = done; index < Math.min(count, done + PER_TURN); index += 1) await run(index);
    const { user, system } = process.cpuUsage(cpuBefore);
    const tookMs = Math.min(performance.now() - startedAtMs, (user + system) / 1000);
    allMs += tookMs;
    pauseMs = Math.max(pauseMs, tookMs);
    await setImmediate();
  }
  return { pauseMs, micros: (1000 * allMs) / count };
}

function memory() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}
