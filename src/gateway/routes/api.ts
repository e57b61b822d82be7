// The gateway's own paths on the one port, put together: the protocol's session API, the JSON API and the probes.

import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { HEADER } from '../../protocol/header-names.js';
import { VERSION } from '../../protocol/version.js';
import { asGatewayError } from '../answer.js';
import type { GatewayContext } from '../context.js';
import type { ApiListener } from '../dispatch.js';
import type { Stats } from '../stats/stats.js';
import { certificateRoute } from './certificate.js';
import { onlyMethods, refuseForeignPages, type RouteEnv, tellError, tellUnknown } from './frame.js';
import { UnsupportedBody } from './json-body.js';
import { jsonRoutes } from './json-sessions.js';
import { plainSessionRoutes } from './plain-sessions.js';
import { statsRoutes } from './stats.js';

/** What the routes ask besides the gateway's own parts. */
export interface ApiParts {
  readonly stats: Stats;
  /** Whether the gateway listens on a loopback address. */
  readonly isLoopback: () => boolean;
}

/** Makes the listener of the API. */
export function createApi(context: GatewayContext, { stats, isLoopback }: ApiParts): ApiListener {
  const app = new Hono<RouteEnv>({ strict: false });
  app.use(refuseForeignPages(context, isLoopback));
  app.route('/sessions', plainSessionRoutes(context));
  app.route('/stats', statsRoutes(context, stats));
  app.route('/api', jsonRoutes(context));
  app.route('/', certificateRoute(context.authority));
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.all('/healthz', onlyMethods('GET'));
  app.get('/readyz', (c) =>
    context.closing.aborted ? c.json({ status: 'closing' }, 503) : c.json({ status: 'ready' }),
  );
  app.all('/readyz', onlyMethods('GET'));
  app.notFound((c) => tellUnknown(c, { status: 404, message: `There is no ${c.req.path} here` }));
  app.onError((thrown, c) => {
    if (thrown instanceof UnsupportedBody) return c.json({ error: 'bad_request', message: thrown.message }, 415);
    const error = asGatewayError(thrown);
    if (error.code === 'internal_error') context.emit({ type: 'gateway.failure', error: thrown, during: 'api' });
    return tellError(c, error);
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false, hostname: 'localhost' });
  return (req, res) => {
    res.setHeader(HEADER.version, VERSION);
    void listener(req, res);
  };
}
