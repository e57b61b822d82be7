// The protocol's own session API: bare text and one flat object, as its clients expect them.

import { Hono } from 'hono';
import { HEADER } from '../../protocol/header-names.js';
import { GatewayError } from '../../sessions/errors.js';
import { type GatewayContext, sessionsOf } from '../context.js';
import { refusalError } from '../refusals.js';
import { needsApiKey, onlyMethods, type RouteEnv, setExact } from './frame.js';

/**
 * `POST`, `GET` and `DELETE /sessions`.
 *
 * @see https://docs.zyte.com/smart-proxy-manager/sessions.html "Sessions API"
 */
export function plainSessionRoutes(context: GatewayContext): Hono<RouteEnv> {
  const { store } = context;
  const routes = new Hono<RouteEnv>();
  routes.use(needsApiKey(context));

  routes.post('/', async (c) => {
    const { fleet } = context;
    const answer = await store.create({ owner: c.get('owner'), traits: {}, upstreams: fleet.usable(), facts: fleet });
    if (!answer.ok) throw refusalError(answer, { session: { kind: 'create' }, traits: {} });
    setExact(c, [HEADER.session, answer.session.id]);
    return c.text(answer.session.id);
  });

  routes.get('/', async (c) => {
    const outgoingIps: Record<string, string> = {};
    for await (const { id, outgoingIp } of sessionsOf(context, c.get('owner'))) outgoingIps[id] = outgoingIp;
    return c.json(outgoingIps);
  });

  routes.delete('/:id', async (c) => {
    const id = c.req.param('id');
    if (await store.remove(c.get('owner'), id)) return c.text('');
    throw new GatewayError('bad_session_id', `No session ${id} for this API key: it expired, or was deleted before`);
  });

  routes.all('/', onlyMethods('GET', 'POST'));
  routes.all('/:id', onlyMethods('DELETE'));
  return routes;
}
