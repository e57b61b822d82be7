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
import { SessionReplaced } from './errors.js';
import { travel } from './gateway-trip.js';
import { refuseForeignClient, sendWithHeader } from './header-transport.js';
import { leadsTo, readProxySessionId, writeProxyUrl } from './proxy-url.js';
import { proxyUrlOf } from './ready-session.js';

/** Methods that change nothing at the target, however often they are sent. */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Wraps an HTTP client of Crawlee's; requests that go through some other proxy pass untouched. */
export class SessionHttpClient implements BaseHttpClient {
  readonly #inner: BaseHttpClient;
  readonly #core: Core;

  /** @throws TypeError with transport 'headers' and a client that can't be kept from taking the header to a target */
  constructor(inner: BaseHttpClient, core: Core) {
    refuseForeignClient(core, inner);
    this.#inner = inner;
    this.#core = core;
  }

  async sendRequest<T extends keyof ResponseTypes = 'text'>(request: HttpRequest<T>): Promise<HttpResponse<T>> {
    const core = this.#core;
    if (!isOurs(core, request)) return this.#inner.sendRequest(request);
    const session = readSession(request);
    // What a handler sends is no navigation: Crawlee does not count its failures, so none is to be excused.
    const trip = { url: String(request.url), session, isNavigation: false };
    if (core.transport === 'credentials') {
      return sendReplacing(core, request, async ({ replacesLost }) => {
        const proxyUrl = await proxyUrlOf(core, session, request);
        const proxySessionId = readProxySessionId(proxyUrl);
        const sent = { ...trip, proxySessionId, replacesLost };
        return travel(core, sent, () => this.#inner.sendRequest({ ...request, proxyUrl }));
      });
    }
    const prepared = { ...request, proxyUrl: request.proxyUrl ?? writeProxyUrl(core.address) };
    return sendReplacing(core, request, async ({ replacesLost }) => {
      // Redirects can't be watched here, so that `create` might make two sessions: one is made over REST instead.
      if (session !== undefined) await core.bindings.bind(session.id);
      return sendWithHeader(core, { ...trip, replacesLost }, prepared, (given) => this.#inner.sendRequest(given));
    });
  }

  async stream(request: HttpRequest, onRedirect?: RedirectHandler): Promise<StreamingHttpResponse> {
    const core = this.#core;
    if (!isOurs(core, request)) return this.#inner.stream(request, onRedirect);
    const session = readSession(request);
    const trip = { url: String(request.url), session, isNavigation: true };
    if (core.transport === 'credentials') {
      return sendReplacing(core, request, async ({ isFirst, replacesLost }) => {
        // The crawler has asked for the proxy of a page itself, and its start was waited for.
        const given = isFirst ? request.proxyUrl : undefined;
        const proxyUrl = given ?? (await proxyUrlOf(core, session, { url: request.url }));
        const proxySessionId = readProxySessionId(proxyUrl);
        const sent = { ...trip, proxySessionId, replacesLost };
        return travel(core, sent, () => this.#inner.stream({ ...request, proxyUrl }, onRedirect));
      });
    }
    const prepared = { ...request, proxyUrl: request.proxyUrl ?? writeProxyUrl(core.address) };
    return sendReplacing(core, request, ({ replacesLost }) =>
      sendWithHeader(core, { ...trip, replacesLost }, prepared, (given, watchRedirect) =>
        this.#inner.stream(given, (response, updated) => {
          watchRedirect(response, updated);
          onRedirect?.(response, updated);
        }),
      ),
    );
  }
}

/** Whether a request goes through our gateway. One without a proxy does too: nothing of a crawl leaves direct. */
function isOurs<T extends keyof ResponseTypes>({ address }: Core, { proxyUrl }: HttpRequest<T>): boolean {
  return proxyUrl === undefined || leadsTo(address, proxyUrl);
}

/** One try of a request. */
interface Try {
  readonly isFirst: boolean;
  readonly replacesLost: boolean;
}

/** Sends a request, and once more if its session was lost and replaced, where sending twice does no harm. */
async function sendReplacing<T extends keyof ResponseTypes, R>(
  { options }: Core,
  { method = 'GET', body }: HttpRequest<T>,
  send: (attempt: Try) => Promise<R>,
): Promise<R> {
  try {
    return await send({ isFirst: true, replacesLost: options.onSessionLost === 'recreate' });
  } catch (error) {
    const isHarmless = REPEATABLE.has(method.toUpperCase()) && body === undefined;
    if (!(error instanceof SessionReplaced) || !isHarmless) throw error;
  }
  return send({ isFirst: false, replacesLost: false });
}

/** Crawlee hands the session over as the token under which got-scraping keeps a session's headers. */
function readSession({ sessionToken }: { readonly sessionToken?: object }): Session | undefined {
  return sessionToken instanceof Session ? sessionToken : undefined;
}
