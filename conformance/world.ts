// What a check works with: the server under test, targets that it is to fetch, and sessions, which are deleted when the
// check is over. One world a check; the targets are shared by all.

import { CheckFailure, CheckSkip, type Delays } from './check.js';
import { valueOf } from './expect.js';
import { createTarget, type Page, type Reply, type Target } from './targets/target.js';
import { authorization, ProxyClient, type Sent } from './wire/proxy-client.js';
import type { Answer } from './wire/read-answer.js';
import { openSecureTunnel, openTunnel, type SecureTunnel, type Tunnel, type TunnelOptions } from './wire/tunnel.js';
import type { Settings } from './options.js';

/** The targets of a run. */
export interface Targets {
  readonly plain: Target;
  readonly secure: Target;
}

/** The tools of one check. */
export class World {
  readonly settings: Settings;
  readonly client: ProxyClient;
  /** The certificate that intercepted targets are signed by; set once it was found. */
  readonly ca: string | undefined;
  readonly #targets: Targets;
  readonly #sites: Target[] = [];
  readonly #sessions = new Set<string>();

  constructor(settings: Settings, targets: Targets, ca?: string) {
    this.settings = settings;
    this.client = new ProxyClient(settings.server);
    this.#targets = targets;
    this.ca = ca;
  }

  get delays(): Delays {
    return this.settings.delays;
  }

  /** A page of the http target. */
  page(reply?: Reply): Page {
    return this.#targets.plain.page(reply);
  }

  /** A page of the https target. */
  securePage(reply?: Reply): Page {
    return this.#targets.secure.page(reply);
  }

  /** A page on a host of its own, for what the server may remember of a site. */
  async sitePage(reply?: Reply): Promise<Page> {
    const site = await createTarget(randomLoopback(), 'http').catch((error: Error) => {
      throw new CheckSkip(`this machine has no loopback addresses to spare: ${error.message}`);
    });
    this.#sites.push(site);
    return site.page(reply);
  }

  /** Sends a request through the proxy. */
  async ask(sent: Sent): Promise<Answer> {
    const answer = await this.client.send(sent);
    if (sent.fields?.some((field) => /^x-crawlera-session:\s*create/i.test(field)) === true) {
      this.adopt(valueOf(answer, 'X-Crawlera-Session'));
    }
    return answer;
  }

  /** Gets a page through the proxy. */
  get({ url }: Page, ...fields: readonly string[]): Promise<Answer> {
    return this.ask({ to: url, fields });
  }

  /** Gets a page, whose answer is awaited later or never: where the check ends before, nobody minds its failure. */
  start(page: Page, ...fields: readonly string[]): Promise<Answer> {
    const answer = this.get(page, ...fields);
    answer.catch(() => undefined);
    return answer;
  }

  /** Asks the session API, in origin form. */
  async api(method: string, path: string, sent: Partial<Sent> = {}): Promise<Answer> {
    const credentials = [authorization(this.client.address.key)];
    const answer = await this.client.send({ credentials, ...sent, method, to: path });
    if (method === 'POST' && answer.status === 200) this.adopt(answer.body.trim());
    return answer;
  }

  /** Makes a session. @throws CheckFailure where the server makes none */
  async createSession(): Promise<string> {
    const answer = await this.api('POST', '/sessions');
    const id = answer.body.trim();
    if (answer.status !== 200 || id === '') throw new CheckFailure('POST /sessions made no session', answer);
    return id;
  }

  /** Lists the sessions with their outgoing IPs. @throws CheckFailure where the list can't be read */
  async listSessions(key = this.client.address.key): Promise<ReadonlyMap<string, string>> {
    const answer = await this.api('GET', '/sessions', { credentials: [authorization(key)] });
    return readList(answer);
  }

  /**
   * Makes sessions until the list shows what is sought.
   *
   * @returns the IDs that `choose` picked of those made so far, with their outgoing IPs
   * @throws CheckSkip when 16 sessions were not enough
   */
  async sessionsWhere(choose: (made: readonly SessionOnIp[]) => readonly SessionOnIp[] | undefined): Promise<string[]> {
    const made: SessionOnIp[] = [];
    while (made.length < 16) {
      const id = await this.createSession();
      made.push({ id, ip: (await this.listSessions()).get(id) ?? '' });
      const chosen = choose(made);
      if (chosen !== undefined) return chosen.map((session) => session.id);
    }
    throw new CheckSkip('16 sessions had not the outgoing IPs that this check needs');
  }

  /** Two sessions on one outgoing IP. */
  sessionsOnOneIp(): Promise<string[]> {
    return this.sessionsWhere((made) => {
      const last = made.at(-1);
      const pair = made.filter(({ ip }) => ip === last?.ip);
      return pair.length === 2 ? pair : undefined;
    });
  }

  /** Two sessions on two outgoing IPs. */
  sessionsOnTwoIps(): Promise<string[]> {
    return this.sessionsWhere((made) => {
      const other = made.find(({ ip }) => ip !== made[0]?.ip);
      return other && made[0] && [made[0], other];
    });
  }

  /** Opens a tunnel to a page's host. */
  tunnel({ authority }: Page, ...fields: readonly string[]): Promise<Tunnel> {
    return openTunnel(this.client, authority, { fields });
  }

  /** Opens a tunnel with TLS inside; with `interception` among its needs a check gets the server's own certificate. */
  secureTunnel({ authority }: Page, options: TunnelOptions = {}): Promise<SecureTunnel> {
    return openSecureTunnel(this.client, authority, { ca: this.ca, ...options });
  }

  /** Has a session deleted in the end. @param id what the server gave for one, if anything */
  adopt(id: string | undefined): void {
    if (id !== undefined && /^[\w.~-]{1,64}$/.test(id)) this.#sessions.add(id);
  }

  /** Ends what the check has begun: its connections, its sites and its sessions. */
  async close(): Promise<void> {
    this.client.close();
    await Promise.all(this.#sites.map((site) => site.close()));
    const cleaner = new ProxyClient(this.client.address);
    const credentials = [authorization(cleaner.address.key)];
    // One that is gone already, or a server that stopped answering, is no business of the check any more.
    await Promise.allSettled(
      [...this.#sessions].map((id) => cleaner.send({ method: 'DELETE', to: `/sessions/${id}`, credentials })),
    );
    cleaner.close();
  }
}

/** A session and where it goes out. */
export interface SessionOnIp {
  readonly id: string;
  readonly ip: string;
}

/** The line that names a session. */
export function inSession(id: string): string {
  return `X-Crawlera-Session: ${id}`;
}

/** The line that asks for a session. */
export const CREATE = inSession('create');

function readList(answer: Answer): ReadonlyMap<string, string> {
  const faulty = (): CheckFailure => new CheckFailure('GET /sessions is no flat JSON object of strings', answer);
  try {
    const entries = Object.entries(JSON.parse(answer.body) as Record<string, unknown>);
    if (answer.status !== 200 || !entries.every(([, ip]) => typeof ip === 'string')) throw faulty();
    return new Map(entries as [string, string][]);
  } catch {
    throw faulty();
  }
}

function randomLoopback(): string {
  const part = (): number => 1 + Math.floor(Math.random() * 250);
  // Away from the low addresses, which servers on this machine go out from.
  return `127.${64 + (part() % 128)}.${part()}.${part()}`;
}
