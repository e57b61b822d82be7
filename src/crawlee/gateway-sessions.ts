// Sessions of one gateway as the plugin needs them: made, asked for and ended over REST, with a fall-back for servers
// that speak the plain protocol only. Which Crawlee session they belong to is not known here.

import { SessionsClientError } from '../client/client-error.js';
import type { SessionsClient } from '../client/sessions-client.js';
import type {
  CreateSessionBody,
  RefusalResource,
  SessionResource,
  TunnelResource,
  UpstreamList,
  VerdictBody,
} from '../protocol/rest.js';
import { allBanned, gatewayBusy, notAGateway, wrongApiKey } from './errors.js';
import { GatewayReturn } from './gateway-return.js';
import { NoWayOut } from './no-way-out.js';
import type { GrantedSlot, SlotRefusal } from './slot.js';

/**
 * What is known of the gateway session that a Crawlee session is bound to.
 *
 * @example
 * ```ts
 * const bound: ProxySessionInfo | undefined = proxyConfiguration.proxySession(session);
 * console.log(bound?.id, bound?.outgoingIp); // 399896684904169 203.0.113.7
 * ```
 */
export interface ProxySessionInfo {
  /** The session's ID at the gateway. */
  readonly id: string;
  /** The address targets see; undefined where the server does not tell. */
  readonly outgoingIp: string | undefined;
  /** Time until the next use that the gateway last told of, in milliseconds; undefined where it told of none. */
  readonly nextUseInMs?: number | undefined;
}

/** What the gateway tells of a session that it knows. */
export interface SeenSession extends Pick<ProxySessionInfo, 'nextUseInMs'> {
  /** What it was refused last; undefined where that is nothing, or the server does not tell. */
  readonly lastRefusal?: RefusalResource | undefined;
}

/** Who paces a session, and where it goes first. */
type CreateOptions = Pick<CreateSessionBody, 'pacing' | 'host'>;

/** The tunnels of a session; `untold` by servers that don't tell, `unknown` where there was no answer or no session. */
export type SessionTunnels = readonly TunnelResource[] | 'untold' | 'unknown';

/** Codes of calls that no gateway answered. */
const UNANSWERED = new Set(['econnrefused', 'econnreset', 'nxdomain', 'timeout', 'send_failed']);

/** Makes and ends sessions of one API key. */
export class GatewaySessions {
  readonly #client: SessionsClient;
  readonly #country: string | undefined;
  /** How long it has had no way out for anybody. */
  readonly noWayOut: NoWayOut;
  readonly #return: GatewayReturn;
  /** Whether the server has no `/api`. Learnt from its first answer. */
  #isPlain = false;

  constructor(client: SessionsClient, country: string | undefined) {
    this.#client = client;
    this.#country = country;
    this.noWayOut = new NoWayOut(client.url);
    this.#return = new GatewayReturn(client.url);
  }

  /** Where the gateway is, without the API key. */
  get url(): string {
    return this.#client.url;
  }

  /**
   * Makes a session. Its answers are not judged by the gateway's ban rules: Crawlee judges pages, and sees those of
   * https targets too.
   *
   * @throws CriticalError for a wrong API key or no gateway at all, ProxySessionError if every outgoing IP is banned at
   *   that host, RetryRequestError while no upstream is usable, else an Error
   */
  async create({ pacing = 'gateway', host }: CreateOptions = {}): Promise<ProxySessionInfo> {
    if (!this.#isPlain) {
      const created = await this.#ask(() =>
        this.#client.create({ bancheck: false, country: this.#country, pacing, host }),
      ).catch(async (error: unknown) => {
        throw await this.#explainNone(error, host);
      });
      if (created !== undefined) return { id: created.id, outgoingIp: created.outgoingIp };
    }
    if (this.#country !== undefined) throw notAGateway(this.url, "it has no /api, so it can't choose a country");
    const id = await this.#ask(() => this.#client.createPlain());
    if (id === undefined) throw notAGateway(this.url, 'it has neither /api/sessions nor /sessions');
    return { id, outgoingIp: undefined };
  }

  /**
   * Books the next use of a session.
   *
   * @returns the slot; `lost` if the gateway does not know the session, or why there is none and when to ask again
   * @throws CriticalError for a wrong API key, else an Error if the gateway does not answer
   */
  async bookSlot(id: string, host: string): Promise<GrantedSlot | SlotRefusal> {
    try {
      const booked = await this.#client.bookSlot(id, host);
      this.markReached();
      return booked;
    } catch (error) {
      if (!(error instanceof SessionsClientError)) throw error;
      const { code, retryAfterMs } = error;
      if (code === 'bad_session_id') return 'lost';
      if (code === 'serverbusy' || code === 'banned' || code === 'noslaves') return { code, retryAfterMs };
      throw await this.#describe(error);
    }
  }

  /** Gives a slot back; one that can't be given back lapses. */
  async cancelSlot(id: string, slot: string): Promise<void> {
    await this.#client.cancelSlot(id, slot).catch(unanswered);
  }

  /**
   * Tells what was seen at a target; a server that has no ear for it is told nothing.
   *
   * Ours: with one outgoing IP a ban is not told. It would keep the crawl from that site altogether, where a new session
   * from the same address may still be served.
   */
  async report(id: string, verdict: VerdictBody): Promise<void> {
    if (this.#isPlain || (verdict.verdict === 'banned' && (await this.countOutgoingIps()) === 1)) return;
    await this.#client.reportVerdict(id, verdict);
  }

  /** Ends a session; one that is gone already is no error. */
  async delete(id: string): Promise<void> {
    await (this.#isPlain ? this.#client.deletePlain(id) : this.#client.delete(id));
  }

  /**
   * Looks at a session.
   *
   * @returns undefined if the gateway does not know it; its wait where the server tells
   * @throws CriticalError for a wrong API key, else an Error if the gateway does not answer
   */
  async look(id: string): Promise<SeenSession | undefined> {
    if (!this.#isPlain) {
      const found = await this.#ask(async () => ({ session: await this.#client.get(id) }));
      if (found !== undefined) return found.session && seenOf(found.session);
    }
    const listed = await this.#ask(() => this.#client.listPlain());
    return listed !== undefined && Object.hasOwn(listed, id) ? {} : undefined;
  }

  /** Time until the session may be used again, in milliseconds; undefined where the server can't be asked. */
  async nextUseInMs(id: string): Promise<number | undefined> {
    return this.#isPlain ? undefined : (await this.#client.get(id).catch(unanswered))?.nextUseInMs;
  }

  /** The blind tunnels of a session, open or not. */
  async tunnels(id: string): Promise<SessionTunnels> {
    if (this.#isPlain) return 'untold';
    const found = await this.#client.get(id).catch(unanswered);
    if (found === undefined) return 'unknown';
    // Gateways before this one have no such member.
    const { tunnels }: Partial<typeof found> = found;
    return tunnels ?? 'untold';
  }

  /** The ways out and the delays; undefined where the server can't be asked. */
  async upstreams(): Promise<UpstreamList | undefined> {
    return this.#isPlain ? undefined : this.#client.upstreams().catch(unanswered);
  }

  /** How many addresses sessions can leave from; undefined where the server can't be asked. */
  async countOutgoingIps(): Promise<number | undefined> {
    const list = await this.upstreams();
    if (list === undefined) return undefined;
    const usable = list.upstreams.filter(({ country }) => this.#country === undefined || country === this.#country);
    return new Set(usable.map(({ outgoingIp }) => outgoingIp)).size || undefined;
  }

  /** An answer was read through the gateway, so one is there: its silence from now on may pass. */
  markReached(): void {
    this.#return.markReached();
  }

  /** Waits a little for a gateway that does not answer. @returns what to tell Crawlee: try again, or stop the run */
  async awaitReturn(cause: unknown): Promise<Error> {
    return this.#return.wait(cause);
  }

  /** What it means that no session was made. */
  async #explainNone(error: unknown, host: string | undefined): Promise<unknown> {
    if (!(error instanceof SessionsClientError)) return error;
    const { code, message, retryAfterMs } = error;
    if (code === 'banned' && host !== undefined) return allBanned(host, { retryAfterMs, cause: error });
    // An upstream that there is not will never be usable.
    if (code !== 'noslaves' || (await this.countOutgoingIps()) === undefined) return error;
    return this.noWayOut.wait(gatewayBusy(message, error), retryAfterMs);
  }

  /** Makes a call; undefined if the server has nothing at that path. Other failures are put into Crawlee's words. */
  async #ask<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await call();
      this.markReached();
      return answer;
    } catch (error) {
      if (error instanceof SessionsClientError && error.code === 'unexpected_answer' && error.status === 404) {
        this.#isPlain = true;
        return undefined;
      }
      throw await this.#describe(error);
    }
  }

  async #describe(error: unknown): Promise<unknown> {
    if (!(error instanceof SessionsClientError)) return error;
    if (error.status === 401 || error.status === 407) return wrongApiKey(this.url, error);
    if (UNANSWERED.has(error.code)) return this.awaitReturn(error);
    if (error.code === 'unexpected_answer' && !this.#return.wasReached) return notAGateway(this.url, error.message);
    return error;
  }
}

function seenOf({
  nextUseInMs,
  lastRefusal,
}: Pick<SessionResource, 'nextUseInMs'> & Partial<SessionResource>): SeenSession {
  // Gateways before this one have no such member.
  return { nextUseInMs, lastRefusal: lastRefusal ?? undefined };
}

function unanswered(): undefined {
  // These answers only make a default or a hint better; the requests themselves will tell what is wrong.
  return undefined;
}
