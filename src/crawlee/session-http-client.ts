// The HTTP client of the presets: sends through the client that the crawler would have used, so that the session goes
// with each request and the gateway's own answers are read as what they are. It has to stand here, because Crawlee
// drops or delivers such answers before any hook of the user's runs.

import { Session } from '@crawlee/core';
import type {
  BaseHttpClient,
  HttpRequest,
  HttpResponse,
  RedirectHandler,
  ResponseTypes,
  StreamingHttpResponse,
} from '@crawlee/core';

import type { Core } from './core.js';
import { travel } from './gateway-trip.js';
import { sendWithHeader } from './header-transport.js';
import { leadsTo, readProxySessionId } from './proxy-url.js';

/** Wraps an HTTP client of Crawlee's; requests that don't go through our gateway pass untouched. */
export class SessionHttpClient implements BaseHttpClient {
  readonly #inner: BaseHttpClient;
  readonly #core: Core;

  constructor(inner: BaseHttpClient, core: Core) {
    this.#inner = inner;
    this.#core = core;
  }

  async sendRequest<T extends keyof ResponseTypes = 'text'>(request: HttpRequest<T>): Promise<HttpResponse<T>> {
    const core = this.#core;
    const { proxyUrl } = request;
    if (!leadsTo(core.address, proxyUrl)) return this.#inner.sendRequest(request);
    const session = readSession(request);
    // What a handler sends is no navigation: Crawlee does not count its failures, so none is to be excused.
    const trip = { url: String(request.url), session, isNavigation: false };
    if (core.transport === 'credentials') {
      const proxySessionId = readProxySessionId(proxyUrl);
      return travel(core, { ...trip, proxySessionId }, () => this.#inner.sendRequest(request));
    }
    // Redirects can't be watched here, so that `create` might make two sessions: one is made over REST instead.
    if (session !== undefined) await core.bindings.bind(session.id);
    return sendWithHeader(core, trip, request, (prepared) => this.#inner.sendRequest(prepared));
  }

  async stream(request: HttpRequest, onRedirect?: RedirectHandler): Promise<StreamingHttpResponse> {
    const core = this.#core;
    const { proxyUrl } = request;
    if (!leadsTo(core.address, proxyUrl)) return this.#inner.stream(request, onRedirect);
    const trip = { url: String(request.url), session: readSession(request), isNavigation: true };
    if (core.transport === 'credentials') {
      const proxySessionId = readProxySessionId(proxyUrl);
      return travel(core, { ...trip, proxySessionId }, () => this.#inner.stream(request, onRedirect));
    }
    return sendWithHeader(core, trip, request, (prepared, watchRedirect) =>
      this.#inner.stream(prepared, (response, updated) => {
        watchRedirect(response, updated);
        onRedirect?.(response, updated);
      }),
    );
  }
}

/** Crawlee hands the session over as the token under which got-scraping keeps a session's headers. */
function readSession({ sessionToken }: { readonly sessionToken?: object }): Session | undefined {
  return sessionToken instanceof Session ? sessionToken : undefined;
}
