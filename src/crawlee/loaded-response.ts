// What a page was loaded from, read alike from the response of an HTTP crawler, of Playwright and of Puppeteer, whose
// classes are not known here: they come with a crawler of the user's, or don't.

/** The answer that a page was loaded from. */
export interface LoadedResponse {
  readonly url: URL;
  readonly status: number;
  /** The value of a header field, by its name in lower case. */
  readonly header: (name: string) => string | undefined;
  /** Whether a worker of the page answered, which may have asked nobody. */
  readonly isFromWorker: boolean;
  /** Whether the browser had it already, so that nothing was sent. Never rejects. */
  readonly isFromCache: () => Promise<boolean>;
}

type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** As an HTTP crawler has it. */
interface HttpResponse {
  readonly url: string;
  readonly statusCode: number;
  readonly headers: Fields;
}

/** What Playwright and Puppeteer have in common, and what each has alone. */
interface BrowserResponse {
  url(): string;
  status(): number;
  headers(): Fields;
  fromServiceWorker?(): boolean;
  /** Puppeteer. */
  fromCache?(): boolean;
  /** Playwright. */
  request?(): { sizes?(): Promise<Sizes> };
}

interface Sizes {
  readonly responseBodySize: number;
  readonly responseHeadersSize: number;
}

/** Reads a response; undefined where there is none, or one of a page that no server was asked for. */
export function readLoadedResponse(response: unknown): LoadedResponse | undefined {
  if (isHttpResponse(response)) {
    const { url, statusCode, headers } = response;
    return readLoaded({ url, status: statusCode, headers, isFromWorker: false, isFromCache: async () => false });
  }
  if (!isBrowserResponse(response)) return undefined;
  return readLoaded({
    url: response.url(),
    status: response.status(),
    headers: response.headers(),
    isFromWorker: response.fromServiceWorker?.() ?? false,
    isFromCache: cacheQuestion(response),
  });
}

function readLoaded({
  url,
  headers,
  ...rest
}: Omit<LoadedResponse, 'url' | 'header'> & { readonly url: string; readonly headers: Fields }):
  | LoadedResponse
  | undefined {
  if (!URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') return undefined;
  const header = (name: string): string | undefined => [headers[name]].flat()[0];
  return { ...rest, url: parsed, header };
}

/** Asks Playwright now, for once the page is closed it can't tell any more. */
function cacheQuestion(response: BrowserResponse): () => Promise<boolean> {
  if (response.fromCache !== undefined) {
    const isFromCache = response.fromCache();
    return async () => isFromCache;
  }
  // Playwright has no word for it, but counts the bytes that came: of a page it had already there are none.
  const answer = response
    .request?.()
    .sizes?.()
    .then(
      ({ responseBodySize, responseHeadersSize }) => responseBodySize + responseHeadersSize === 0,
      // The page was closed before it was complete, so it was not had already.
      () => false,
    );
  return async () => (await answer) ?? false;
}

function isHttpResponse(value: unknown): value is HttpResponse {
  if (typeof value !== 'object' || value === null) return false;
  const { url, statusCode, headers }: Partial<Record<keyof HttpResponse, unknown>> = value;
  return typeof url === 'string' && typeof statusCode === 'number' && typeof headers === 'object' && headers !== null;
}

function isBrowserResponse(value: unknown): value is BrowserResponse {
  if (typeof value !== 'object' || value === null) return false;
  const { url, status, headers }: Partial<Record<keyof BrowserResponse, unknown>> = value;
  return [url, status, headers].every((member) => typeof member === 'function');
}
