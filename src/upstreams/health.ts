// Which upstreams are in use and which are left alone for a while: what uses report, held against the breaker. It knows
// nothing of connections; what a failure means is settled in `fault.ts`.

import { BREAKER_SETTINGS, type BreakerSettings } from '../sessions/breaker.js';
import { HealthPage, type PageOptions, type UpstreamHealth, type Watch } from './health-page.js';

/** What a health book is made of. */
export interface HealthOptions extends Pick<PageOptions, 'nowMs' | 'random' | 'later' | 'emit'> {
  /** Hosts that the gateway itself asks through all upstreams. @default none */
  readonly askedHosts?: ReadonlySet<string> | undefined;
  /** @default BREAKER_SETTINGS */
  readonly settings?: BreakerSettings | undefined;
}

/** The health of all upstreams of a gateway. */
export class HealthBook {
  readonly #options: HealthOptions;
  readonly #settings: BreakerSettings;
  /** One for each upstream there is. */
  readonly #pages = new Map<string, HealthPage>();
  readonly #listeners = new Set<(id: string) => void>();

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#settings = options.settings ?? BREAKER_SETTINGS;
  }

  /**
   * Begins to watch an upstream, as one that is up; what was known under its ID is forgotten, for it may have other
   * credentials now.
   *
   * @param isOwnAddress whether it is an address of this machine
   */
  watch(id: string, isOwnAddress: boolean): Watch {
    this.#pages.get(id)?.close();
    const { emit, askedHosts } = this.#options;
    const page = new HealthPage({
      id,
      isOwnAddress,
      ...this.#options,
      settings: this.#settings,
      isAsked: (host) => askedHosts?.has(host) === true,
      emit: (event) => this.#pages.get(id) === page && emit(event),
      onChange: () => this.#tell(id, page),
    });
    this.#pages.set(id, page);
    this.#tell(id, page);
    return page;
  }

  /** Forgets an upstream that is closed, unless it was replaced by another of its ID. */
  forget(id: string, watch: Watch): void {
    if (this.#pages.get(id) !== watch) return;
    this.#pages.get(id)?.close();
    this.#pages.delete(id);
  }

  /** Whether a use may go out through it; one that is not watched is as good as any. */
  isUsable(id: string): boolean {
    return this.#pages.get(id)?.isUsable ?? true;
  }

  /** When one that is down is tried again, in milliseconds from now; 0 for one that is not. */
  retryAfterMs(id: string): number {
    return this.healthOf(id).retryAfterMs;
  }

  /** How an upstream is, to be shown. */
  healthOf(id: string): UpstreamHealth {
    return this.#pages.get(id)?.health ?? { state: 'up', message: undefined, retryAfterMs: 0, heardAtMs: undefined };
  }

  /** Calls the listener whenever `isUsable` of an upstream may have changed. @returns a function that ends it */
  onChange(listener: (id: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Stops all clocks. */
  close(): void {
    for (const page of this.#pages.values()) page.close();
    this.#pages.clear();
    this.#listeners.clear();
  }

  #tell(id: string, page: HealthPage): void {
    if (this.#pages.get(id) === page) for (const listener of this.#listeners) listener(id);
  }
}
