// The JSON API over sessions and upstreams.

import { Hono } from 'hono';
import { z } from 'zod';
import type { SessionList, SessionResource, UpstreamList } from '../../protocol/rest.js';
import { GatewayError } from '../../sessions/errors.js';
import type { SessionView } from '../../stores/session-store.js';
import type { Upstream } from '../../upstreams/upstream.js';
import { type GatewayContext, sessionsOf, usableUpstreams } from '../context.js';
import { refusalError } from '../refusals.js';
import { needsApiKey, onlyMethods, type RouteContext, type RouteEnv } from './frame.js';
import { readJsonBody } from './json-body.js';
import { addSlotRoutes, hostField, unknownSession } from './session-slots.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

const createBody = z.strictObject({
  name: z
    .string()
    .regex(/^[0-9A-Za-z._~]{1,50}$/, 'takes 1 to 50 of the characters 0-9 A-Z a-z . _ ~')
    .refine((name) => !/^\d+$/.test(name), 'must not be digits only, for that is an ID')
    .optional(),
  country: z
    .string()
    .regex(/^[A-Za-z]{2}$/, 'takes two letters, such as us')
    .transform((code) => code.toLowerCase())
    .optional(),
  pacing: z.enum(['gateway', 'client']).optional(),
  bancheck: z.boolean().optional(),
  pin: z.string().optional(),
  host: hostField.optional(),
});

/** `/api/sessions` and `/api/upstreams`. */
export function jsonRoutes(context: GatewayContext): Hono<RouteEnv> {
  const { store } = context;
  const routes = new Hono<RouteEnv>();
  routes.use(needsApiKey(context));

  routes.get('/sessions', async (c) => {
    const page = await store.list({ owner: c.get('owner'), ...readPage(c) });
    const sessions = page.sessions.map((session) => resourceOf(context, session));
    return c.json({ sessions, after: page.after ?? null } satisfies SessionList);
  });

  routes.post('/sessions', async (c) => {
    const { pin, host: target, ...traits } = await readJsonBody(c, createBody, 'a session');
    const upstreams = pin === undefined ? usableUpstreams(context) : [pinned(context, pin)];
    const answer = await store.create({ owner: c.get('owner'), traits, target, upstreams });
    if (!answer.ok) throw refusalError(answer, { session: { kind: 'create' }, traits });
    return c.json(resourceOf(context, answer.session), answer.created ? 201 : 200);
  });

  routes.get('/sessions/:id', async (c) => {
    const session = await store.get(c.get('owner'), c.req.param('id'));
    return session === undefined ? unknownSession(c) : c.json(resourceOf(context, session));
  });

  routes.delete('/sessions/:id', async (c) => {
    const removed = await store.remove(c.get('owner'), c.req.param('id'));
    return removed ? c.body(null, 204) : unknownSession(c);
  });

  addSlotRoutes(context, routes);
  routes.get('/upstreams', async (c) => c.json(await upstreamList(context, c.get('owner'))));

  routes.all('/sessions', onlyMethods('GET', 'POST'));
  routes.all('/sessions/:id', onlyMethods('GET', 'DELETE'));
  routes.all('/upstreams', onlyMethods('GET'));
  return routes;
}

async function upstreamList(context: GatewayContext, owner: string): Promise<UpstreamList> {
  const { upstreams, options } = context;
  const pinnedTo = new Map<string, number>();
  for await (const { upstreamId } of sessionsOf(context, owner)) {
    pinnedTo.set(upstreamId, (pinnedTo.get(upstreamId) ?? 0) + 1);
  }
  const { defaultMs, scope, domains, maxHoldMs } = options.rules.delays;
  return {
    upstreams: [...upstreams.values()].map(({ id, name, outgoingIp, country }) => ({
      name,
      outgoingIp,
      country: country ?? null,
      sessions: pinnedTo.get(id) ?? 0,
    })),
    delays: { defaultMs, scope, perDomain: scope === 'ip+domain' || domains.size > 0, maxHoldMs },
  };
}

function resourceOf({ upstreams }: GatewayContext, session: SessionView): SessionResource {
  const { id, outgoingIp, traits, uses, unbookedUses, requests, tunnels, bytesIn, bytesOut, nextUseInMs } = session;
  return {
    id,
    name: traits.name ?? null,
    upstream: upstreams.get(session.upstreamId)?.name ?? session.upstreamId,
    outgoingIp,
    country: traits.country ?? null,
    createdAt: isoOf(session.createdAtMs),
    lastUsedAt: isoOf(session.lastUsedAtMs),
    expiresAt: session.expiresAtMs === Infinity ? null : isoOf(session.expiresAtMs),
    uses,
    unbookedUses,
    requests,
    tunnels,
    bytesIn,
    bytesOut,
    state: session.isBanned ? 'banned' : 'active',
    nextUseInMs,
  };
}

function isoOf(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

function readPage(c: RouteContext): { after: string | undefined; limit: number } {
  const after = c.req.query('after');
  const limit = c.req.query('limit') ?? String(DEFAULT_LIMIT);
  if (after !== undefined && !/^\d{1,16}$/.test(after)) {
    throw new GatewayError('bad_request', `after is "${after}"; it takes the "after" of the page before`);
  }
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > MAX_LIMIT) {
    throw new GatewayError('bad_request', `limit is "${limit}"; it takes a number from 1 to ${MAX_LIMIT}`);
  }
  return { after, limit: Number(limit) };
}

function pinned({ upstreams }: GatewayContext, pin: string): Upstream {
  const named = [...upstreams.values()];
  const found = named.find(({ name }) => name === pin);
  if (found !== undefined) return found;
  const known = named.map(({ name }) => name).slice(0, 20);
  throw new GatewayError('bad_request', `No upstream is called "${pin}"; there are ${known.join(', ')}`);
}
