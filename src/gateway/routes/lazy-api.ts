// The API, loaded when it is first asked for: its router and schemas are a good part of what a start would cost, and
// many a gateway is never asked.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GatewayContext } from '../context.js';
import type { ApiListener } from '../dispatch.js';
import type { ApiParts } from './api.js';

/** Makes the listener of the API. Requests that come while it is being loaded wait for it. */
export function createLazyApi(context: GatewayContext, parts: ApiParts): ApiListener {
  let listener: ApiListener | undefined;
  let loading: Promise<ApiListener> | undefined;

  async function load(): Promise<ApiListener> {
    const { createApi } = await import('./api.js');
    listener = createApi(context, parts);
    return listener;
  }

  async function serveLoaded(req: IncomingMessage, res: ServerResponse): Promise<void> {
    loading ??= load();
    try {
      (await loading)(req, res);
    } catch (error) {
      // A failure to load is not kept: the next request tries again.
      loading = undefined;
      context.emit({ type: 'gateway.failure', error, during: 'api' });
      res.destroy();
    }
  }

  return (req, res) => {
    if (listener !== undefined) listener(req, res);
    else void serveLoaded(req, res);
  };
}
