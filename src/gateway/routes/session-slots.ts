// What a client that paces itself asks of its sessions: start times, and what it has seen at targets.

import type { Hono } from 'hono';
import * as z from 'zod';
import type { SlotResource } from '../../protocol/rest.js';
import { GatewayError } from '../../sessions/errors.js';
import { readTarget, siteOf } from '../../upstreams/target-address.js';
import type { GatewayContext } from '../context.js';
import { refusalError } from '../refusals.js';
import { onlyMethods, type RouteContext, type RouteEnv, tellError, tellUnknown } from './frame.js';
import { readJsonBody } from './json-body.js';

/** A target by its host; a port may stand behind it and says nothing. */
export const hostField = z.string().transform((text, context) => {
  const target = readTarget(text, 80);
  if (target !== undefined) return { host: target.host, site: siteOf(target.host) };
  context.addIssue({ code: 'custom', message: 'takes a host name or address, such as example.com' });
  return z.NEVER;
});

const slotBody = z.strictObject({ host: hostField });
const verdictBody = z.strictObject({ host: hostField, verdict: z.enum(['good', 'banned']) });

/** Adds `slots` and `verdicts` below `/sessions/:id`. */
export function addSlotRoutes(context: GatewayContext, routes: Hono<RouteEnv>): void {
  const { store } = context;

  routes.post('/sessions/:id/slots', async (c) => {
    const sessionId = c.req.param('id');
    const { host: target } = await readJsonBody(c, slotBody, 'a slot');
    const { fleet } = context;
    const asked = { owner: c.get('owner'), sessionId, target, upstreams: fleet.usable(), facts: fleet };
    const booked = await store.book(asked);
    if (!booked.ok && booked.code === 'bad_session_id') return unknownSession(c);
    if (!booked.ok) throw refusalError(booked, { session: { kind: 'id', id: sessionId }, traits: {} });
    const { ticket: slot, startsInMs, nextUseInMs, outgoingIp } = booked;
    return c.json({ slot, startsInMs, nextUseInMs, outgoingIp } satisfies SlotResource, 201);
  });

  routes.delete('/sessions/:id/slots/:slot', async (c) => {
    const { id, slot } = c.req.param();
    if ((await store.get(c.get('owner'), id)) === undefined) return unknownSession(c);
    // A slot begins with the ID of its session: that of another key's is not to be had by guessing.
    if (slot.startsWith(`${id}-`) && (await store.cancel(slot))) return c.body(null, 204);
    return tellUnknown(c, { status: 404, message: `No slot ${slot} waits for its start: it has begun, or never was` });
  });

  routes.post('/sessions/:id/verdicts', async (c) => {
    const { host: target, verdict } = await readJsonBody(c, verdictBody, 'a verdict');
    const noted = { owner: c.get('owner'), sessionId: c.req.param('id'), site: target.site, verdict };
    return (await store.reportVerdict(noted)) ? c.body(null, 204) : unknownSession(c);
  });

  routes.all('/sessions/:id/slots', onlyMethods('POST'));
  routes.all('/sessions/:id/slots/:slot', onlyMethods('DELETE'));
  routes.all('/sessions/:id/verdicts', onlyMethods('POST'));
}

/** The answer of the JSON API where there is no session of the ID in the path. */
export function unknownSession(c: RouteContext): Response {
  const message = `No session ${c.req.param('id')} for this API key: it expired or was deleted`;
  return tellError(c, new GatewayError('bad_session_id', message), 404);
}
