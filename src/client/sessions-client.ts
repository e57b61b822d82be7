// The calls of a gateway's REST API, typed. Time limits, keys and failures are in `gateway-call.ts`.

import type {
  CreateSessionBody,
  SessionList,
  SessionResource,
  SlotResource,
  UpstreamList,
  VerdictBody,
} from '../protocol/rest.js';
import { isPlainList, isSession, isSessionList, isSlot, isUpstreamList } from './answer-shapes.js';
import { SessionsClientError } from './client-error.js';
import { callGateway, readJson, unexpectedAnswer } from './gateway-call.js';
import type { GatewayCall } from './gateway-call.js';
import { resolveGatewayUrl } from './gateway-url.js';
import type { GatewayAddress } from './gateway-url.js';

/** How the client calls. */
export interface SessionsClientOptions {
  /** How long a call may take, from its start to the last byte of the answer, in milliseconds. @default 10_000 */
  readonly timeoutMs?: number | undefined;
}

/** Where a page of the list starts, and how much it holds. */
export interface ListQuery {
  /** `after` of the page before. @default the beginning */
  readonly after?: string | undefined;
  /** Sessions a page has at most. @default what the gateway holds fit */
  readonly limit?: number | undefined;
}

/**
 * A client of the REST API of one gateway, for the sessions of one API key. The methods whose names end in `Plain`
 * use the session protocol's own calls and work with every server of it; the others need this gateway.
 *
 * Every method throws `SessionsClientError` where there is no answer, or one that is no success.
 *
 * @example
 * ```ts
 * const sessions = new SessionsClient('http://KEY:@127.0.0.1:8011');
 * const { id, outgoingIp } = await sessions.create({ name: 'checkout', country: 'us' });
 * await sessions.delete(id);
 * ```
 */
export class SessionsClient {
  readonly #address: GatewayAddress;
  readonly #timeoutMs: number;

  /**
   * @param proxyUrl `http://KEY:@host:port`, as one gives it to a crawler
   * @throws TypeError if that is no URL, or has no API key
   */
  constructor(proxyUrl: string, { timeoutMs = 10_000 }: SessionsClientOptions = {}) {
    this.#address = resolveGatewayUrl(proxyUrl);
    this.#timeoutMs = timeoutMs;
  }

  /** Where the gateway is, without the API key. */
  get url(): string {
    return this.#address.url;
  }

  /** Creates a session; with the name of a living one gives that one. */
  async create(body: CreateSessionBody = {}): Promise<SessionResource> {
    return this.#read({ method: 'POST', path: '/api/sessions', body }, isSession);
  }

  /** Finds a session; undefined if there is none of this ID, or not any more. */
  async get(id: string): Promise<SessionResource | undefined> {
    return this.#read({ method: 'GET', path: pathOf(id) }, isSession).catch(noSession);
  }

  /** Gives one page of the list of sessions. */
  async list(query: ListQuery = {}): Promise<SessionList> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
    const path = search.size === 0 ? '/api/sessions' : `/api/sessions?${search.toString()}`;
    return this.#read({ method: 'GET', path }, isSessionList);
  }

  /** Walks over all sessions, page by page; `limit` is the size of a page. */
  async *listAll({ limit }: Pick<ListQuery, 'limit'> = {}): AsyncGenerator<SessionResource, void> {
    let after: string | undefined;
    do {
      // Each page says where the next one starts.
      // oxlint-disable-next-line no-await-in-loop
      const page = await this.list({ after, limit });
      yield* page.sessions;
      after = page.after ?? undefined;
    } while (after !== undefined);
  }

  /** Ends a session; false if there is none of this ID, or not any more. */
  async delete(id: string): Promise<boolean> {
    return this.#delete(pathOf(id));
  }

  /**
   * Books the next use of a session that its client paces. Booking is the use: the slot counts, started or not, until it
   * is given back.
   *
   * @throws SessionsClientError also `serverbusy`, with `retryAfterMs`, where it would start too late
   */
  async bookSlot(id: string, host: string): Promise<SlotResource> {
    return this.#read({ method: 'POST', path: `${pathOf(id)}/slots`, body: { host } }, isSlot);
  }

  /** Gives a slot back; false if it has started, or its session is gone. */
  async cancelSlot(id: string, slot: string): Promise<boolean> {
    const call = { method: 'DELETE', path: `${pathOf(id)}/slots/${encodeURIComponent(slot)}` } as const;
    return (await callGateway(this.#address, call, this.#timeoutMs).catch(notThere)) !== undefined;
  }

  /** Tells what was seen at a target; false if there is no such session any more. */
  async reportVerdict(id: string, { host, verdict }: VerdictBody): Promise<boolean> {
    const call = { method: 'POST', path: `${pathOf(id)}/verdicts`, body: { host, verdict } } as const;
    return (await callGateway(this.#address, call, this.#timeoutMs).catch(noSession)) !== undefined;
  }

  /** Lists the ways out, and the delays a client must reckon with. */
  async upstreams(): Promise<UpstreamList> {
    return this.#read({ method: 'GET', path: '/api/upstreams' }, isUpstreamList);
  }

  /** Creates a session with the protocol's own call and gives its ID. */
  async createPlain(): Promise<string> {
    const call = { method: 'POST', path: '/sessions' } as const;
    const { text, status } = await callGateway(this.#address, call, this.#timeoutMs);
    const id = text.trim();
    // An error text in a success would go out as an ID otherwise.
    if (!/^[\w.~-]{1,100}$/.test(id)) throw unexpectedAnswer(this.url, call, status);
    return id;
  }

  /** Gives IDs and outgoing IPs of all sessions, with the protocol's own call. */
  async listPlain(): Promise<Readonly<Record<string, string>>> {
    return this.#read({ method: 'GET', path: '/sessions' }, isPlainList);
  }

  /** Ends a session with the protocol's own call; false if there is none of this ID, or not any more. */
  async deletePlain(id: string): Promise<boolean> {
    return this.#delete(`/sessions/${encodeURIComponent(id)}`);
  }

  async #read<T>(call: GatewayCall, isWanted: (value: unknown) => value is T): Promise<T> {
    const { text, status } = await callGateway(this.#address, call, this.#timeoutMs);
    const answer = readJson(text);
    if (!isWanted(answer)) throw unexpectedAnswer(this.url, call, status);
    return answer;
  }

  async #delete(path: string): Promise<boolean> {
    const deleted = callGateway(this.#address, { method: 'DELETE', path }, this.#timeoutMs);
    return (await deleted.catch(noSession)) !== undefined;
  }
}

function pathOf(id: string): string {
  return `/api/sessions/${encodeURIComponent(id)}`;
}

/** Makes "no such session" a value, whichever of its two statuses it came with; other errors stay errors. */
function noSession(error: unknown): undefined {
  if (error instanceof SessionsClientError && error.code === 'bad_session_id') return undefined;
  throw error;
}

/** Makes "there is none" a value; other errors stay errors. */
function notThere(error: unknown): undefined {
  if (error instanceof SessionsClientError && error.status === 404) return undefined;
  throw error;
}
