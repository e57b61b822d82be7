// The JSON API over sessions and upstreams.

import { Hono } from 'hono';
import * as z from 'zod';
import type { RefusalResource, SessionList, SessionResource } from '../../protocol/rest.js';
import { GatewayError } from '../../sessions/errors.js';
import { UPSTREAM_LOSS_POLICIES } from '../../sessions/loss.js';
import type { SessionView, UpstreamChoice } from '../../stores/session-store.js';
import type { GatewayContext } from '../context.js';
import { refusalError } from '../refusals.js';
import { needsApiKey, onlyMethods, type RouteContext, type RouteEnv } from './frame.js';
import { readJsonBody } from './json-body.js';
import { addSlotRoutes, hostField, unknownSession } from './session-slots.js';
import { addUpstreamRoutes } from './upstreams.js';

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
  onUpstreamLoss: z.enum(UPSTREAM_LOSS_POLICIES).optional(),
  host: hostField.optional(),
});

/** All below `/api`. */
export function jsonRoutes(context: GatewayContext): Hono<RouteEnv> {
  const { store } = context;
  const routes = new Hono<RouteEnv>();
  routes.use(needsApiKey(context));

  routes.get('/sessions', async (c) => {
    const page = await store.list({ owner: c.get('owner'), ...readPage(c) });
    const sessions = page.sessions.map((session) => resourceOf(context, c.get('owner'), session));
    return c.json({ sessions, after: page.after ?? null } satisfies SessionList);
  });

  routes.post('/sessions', async (c) => {
    const { pin, host: target, ...traits } = await readJsonBody(c, createBody, 'a session');
    const upstreams = pin === undefined ? context.fleet.usable() : pinned(context, pin);
    const answer = await store.create({ owner: c.get('owner'), traits, target, upstreams, facts: context.fleet });
    if (!answer.ok) throw refusalError(answer, { session: { kind: 'create' }, traits });
    return c.json(resourceOf(context, c.get('owner'), answer.session), answer.created ? 201 : 200);
  });

  routes.get('/sessions/:id', async (c) => {
    const session = await store.get(c.get('owner'), c.req.param('id'));
    return session === undefined ? unknownSession(c) : c.json(resourceOf(context, c.get('owner'), session));
  });

  routes.delete('/sessions/:id', async (c) => {
    const removed = await store.remove(c.get('owner'), c.req.param('id'));
    return removed ? c.body(null, 204) : unknownSession(c);
  });

  addSlotRoutes(context, routes);
  addUpstreamRoutes(context, routes);

  routes.all('/sessions', onlyMethods('GET', 'POST'));
  routes.all('/sessions/:id', onlyMethods('GET', 'DELETE'));
  return routes;
}

function resourceOf(context: GatewayContext, owner: string, session: SessionView): SessionResource {
  const { fleet } = context;
  const { id, outgoingIp, traits, uses, unbookedUses, requests, tunnels, bytesIn, bytesOut, nextUseInMs } = session;
  return {
    id,
    name: traits.name ?? null,
    upstream: fleet.get(session.upstreamId)?.name ?? session.upstreamId,
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
    lastRefusal: lastRefusalOf(context, owner, id),
  };
}

function lastRefusalOf({ refusals, clock }: GatewayContext, owner: string, id: string): RefusalResource | null {
  const found = refusals.find(owner, id);
  if (found === undefined) return null;
  const { code, host, atMs } = found;
  return { code, host, at: isoOf(atMs), msAgo: clock.nowMs() - atMs };
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

function pinned({ fleet }: GatewayContext, pin: string): UpstreamChoice[] {
  const named = fleet.all();
  const found = named.find(({ name }) => name === pin);
  if (found !== undefined) return fleet.usable().filter(({ id }) => id === found.id);
  const known = named.map(({ name }) => name).slice(0, 20);
  throw new GatewayError('bad_request', `No upstream is called "${pin}"; there are ${known.join(', ')}`);
}
