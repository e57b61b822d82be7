// The protocol's own session API: bare text and one flat object, as its clients expect them.

import { Hono } from 'hono';
import { HEADER } from '../../protocol/header-names.js';
import { GatewayError } from '../../sessions/errors.js';
import { type GatewayContext, usableUpstreams } from '../context.js';
import { needsApiKey, onlyMethods, refusalError, type RouteEnv, setExact } from './frame.js';

/** Sessions read from the store at a time. */
const PAGE = 1000;

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
    const upstreams = usableUpstreams(context);
    const answer = await store.create({ owner: c.get('owner'), traits: {}, upstreams });
    if (!answer.ok) throw refusalError(answer, CREATE_REFUSED[answer.code] ?? 'The session was not created');
    setExact(c, [HEADER.session, answer.session.id]);
    return c.text(answer.session.id);
  });

  routes.get('/', async (c) => {
    const outgoingIps: Record<string, string> = {};
    let after: string | undefined;
    do {
      const page = await store.list({ owner: c.get('owner'), after, limit: PAGE });
      for (const { id, outgoingIp } of page.sessions) outgoingIps[id] = outgoingIp;
      after = page.after;
    } while (after !== undefined);
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

/** Why a session could not be made, in words. */
export const CREATE_REFUSED: Readonly<Record<string, string>> = {
  user_session_limit: 'This API key has as many sessions as allowed (sessions.max); delete some, or wait',
  noslaves: 'No upstream is usable for this session; look at the upstreams and their countries',
};
