// The JSON API over upstreams: which there are and how they do, and what a use of a session would come to.

import type { Hono } from 'hono';
import type { Explanation, HealthResource, UpstreamList, UpstreamResource } from '../../protocol/rest.js';
import { GatewayError } from '../../sessions/errors.js';
import type { Outlook, SessionView } from '../../stores/session-store.js';
import { readTarget, siteOf } from '../../upstreams/target-address.js';
import { type GatewayContext, sessionsOf } from '../context.js';
import { onlyMethods, type RouteContext, type RouteEnv, tellError } from './frame.js';

/** Adds `/upstreams` and `/explain`. */
export function addUpstreamRoutes(context: GatewayContext, routes: Hono<RouteEnv>): void {
  routes.get('/upstreams', async (c) => c.json(await upstreamList(context, c.get('owner'))));
  routes.get('/explain', (c) => explain(context, c));
  routes.all('/upstreams', onlyMethods('GET'));
  routes.all('/explain', onlyMethods('GET'));
}

async function upstreamList(context: GatewayContext, owner: string): Promise<UpstreamList> {
  const { fleet, options } = context;
  const pinnedTo = new Map<string, SessionView[]>();
  for await (const session of sessionsOf(context, owner)) {
    const pinned = pinnedTo.get(session.upstreamId);
    if (pinned === undefined) pinnedTo.set(session.upstreamId, [session]);
    else pinned.push(session);
  }
  const { defaultMs, scope, domains, maxHoldMs } = options.rules.delays;
  return {
    upstreams: fleet.all().map(({ id }) => upstreamOf(context, { owner, id, pinned: pinnedTo.get(id) ?? [] })),
    delays: { defaultMs, scope, perDomain: scope === 'ip+domain' || domains.size > 0, maxHoldMs },
  };
}

interface Shown {
  readonly owner: string;
  readonly id: string;
  readonly pinned: readonly SessionView[];
}

function upstreamOf(context: GatewayContext, { owner, id, pinned }: Shown): UpstreamResource {
  const { fleet, tallies } = context;
  const { name = id, country, weight = 1, exits } = fleet.get(id) ?? {};
  const { uses, bans, bytesIn, bytesOut, ipChanges } = tallies.of(owner, id);
  return {
    name,
    outgoingIp: fleet.outgoingIpOf(id) ?? id,
    country: country ?? null,
    weight,
    sessions: pinned.length,
    // Of those in use: how many there are in all, only the vendor knows.
    exits: exits === undefined ? null : new Set(pinned.map(({ exit }) => exit)).size,
    uses,
    bans,
    bytesIn,
    bytesOut,
    ipChanges,
    health: healthOf(context, id),
  };
}

function healthOf({ watching }: GatewayContext, upstreamId: string): HealthResource {
  const { state, message, retryAfterMs } = watching.health.healthOf(upstreamId);
  return { state, message: message ?? null, retryAfterMs };
}

async function explain(context: GatewayContext, c: RouteContext): Promise<Response> {
  const session = c.req.query('session') ?? '';
  const asked = c.req.query('host') ?? '';
  const target = readTarget(asked, 80);
  if (target === undefined) {
    throw new GatewayError('bad_request', `host is "${asked}"; it takes a host name or address, such as example.com`);
  }
  const { host } = target;
  const outlook = await context.store.outlook(c.get('owner'), session, { host, site: siteOf(host) });
  if (outlook === undefined) {
    const message = `No session ${session} for this API key: it expired or was deleted`;
    return tellError(c, new GatewayError('bad_session_id', message), 404);
  }
  const { upstreamId, outgoingIp } = outlook.session;
  const upstream = context.fleet.get(upstreamId)?.name ?? upstreamId;
  const reasons = [...upstreamReasons(context, outlook.session, upstream), ...waitReasons(context, outlook, host)];
  return c.json({ session, host, upstream, outgoingIp, waitMs: outlook.waitMs, reasons } satisfies Explanation);
}

function upstreamReasons(
  { fleet, options }: GatewayContext,
  { upstreamId, exit, traits }: SessionView,
  name: string,
): readonly string[] {
  const policy = traits.onUpstreamLoss ?? options.rules.sessions.onUpstreamLoss;
  const through = exit === undefined ? '' : `, through its exit ${exit}, which was drawn from the session's ID`;
  const reasons = [`The session is pinned to the upstream ${name}${through}.`];
  if (!fleet.isListed(upstreamId)) reasons.push(`That upstream has left the list; its rule for this is ${policy}.`);
  else if (!fleet.isUsable(upstreamId)) {
    const seconds = Math.ceil(fleet.retryAfterMs(upstreamId) / 1000);
    reasons.push(`That upstream is down and is tried again in ${seconds} s; its rule for this is ${policy}.`);
  }
  return reasons;
}

function waitReasons(
  { options }: GatewayContext,
  { session, waitMs, delayMs, coolMs }: Outlook,
  host: string,
): readonly string[] {
  const { outgoingIp, traits, isBanned } = session;
  const what = options.rules.delays.scope === 'ip' ? outgoingIp : `${outgoingIp} at the domain of ${host}`;
  const reasons = [
    waitMs === 0
      ? `No use of ${what} is so recent that one would have to wait; they are kept ${delayMs} ms apart.`
      : `Uses of ${what} are kept ${delayMs} ms apart, by all sessions that leave from there; the next is free in ${waitMs} ms.`,
  ];
  if (traits.pacing === 'client')
    reasons.push('Its client paces itself by booking slots, so its requests are not held.');
  if (isBanned) reasons.push('A target has banned the session; it is not used again.');
  if (coolMs > 0) reasons.push(`${host} has banned ${outgoingIp}, which is kept from it for ${coolMs} ms more.`);
  return reasons;
}
