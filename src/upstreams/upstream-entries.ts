// Which entries of a list that was read again are those of the list before, so that their sessions and connections
// stay theirs. Decides about names and nothing else: nothing is opened or closed here.

import type { UpstreamSpec } from './upstream-url.js';

/**
 * Entries that have left and are remembered, so that one which comes back is who it was, and no other gets its ID while
 * sessions may still speak of it. Past that the oldest is forgotten.
 */
const MAX_FORMER = 20_000;

/** Gives the entries of a list IDs that outlive its order. */
export class UpstreamEntries {
  #listed: readonly UpstreamSpec[] = [];
  readonly #former = new Map<string, UpstreamSpec>();

  /**
   * Takes a list in place of the one before.
   *
   * @param specs as `resolveUpstreams` gives them, whose IDs follow the order of the list
   * @returns the same, those that were there before as the same objects; one whose password alone has changed is a new
   *   object of the same ID
   */
  replace(specs: readonly UpstreamSpec[]): readonly UpstreamSpec[] {
    const before = new Known(this.#listed, this.#former.values());
    const same = specs.map((spec) => before.takeSame(spec));
    const taken = new Set(same.flatMap((spec) => spec?.id ?? []));
    const listed = specs.map((spec, index) => same[index] ?? before.takeChanged(spec) ?? spec);
    for (const [index, spec] of listed.entries()) {
      if (same[index] === undefined) listed[index] = withFreeId(spec, (id) => taken.has(id) || before.has(id));
      taken.add((listed[index] as UpstreamSpec).id);
    }
    this.#remember(listed);
    return listed;
  }

  #remember(listed: readonly UpstreamSpec[]): void {
    const ids = new Set(listed.map(({ id }) => id));
    for (const spec of this.#listed) if (!ids.has(spec.id)) this.#former.set(spec.id, spec);
    for (const id of ids) this.#former.delete(id);
    for (const id of this.#former.keys()) {
      if (this.#former.size <= MAX_FORMER) break;
      this.#former.delete(id);
    }
    this.#listed = listed;
  }
}

/** The entries there were, each to be taken once. */
class Known {
  readonly #bySelf = new Map<string, UpstreamSpec[]>();
  readonly #byLogin = new Map<string, UpstreamSpec[]>();
  readonly #taken = new Set<UpstreamSpec>();
  readonly #ids = new Set<string>();

  constructor(listed: Iterable<UpstreamSpec>, former: Iterable<UpstreamSpec>) {
    for (const spec of [...listed, ...former]) {
      this.#ids.add(spec.id);
      add(this.#bySelf, selfOf(spec), spec);
      add(this.#byLogin, loginOf(spec), spec);
    }
  }

  /** Whether an entry that was not taken has this ID. */
  has(id: string): boolean {
    return this.#ids.has(id);
  }

  takeSame(spec: UpstreamSpec): UpstreamSpec | undefined {
    return this.#take(this.#bySelf.get(selfOf(spec)));
  }

  /** The new entry under the ID of one that differs in its password or its labels only. */
  takeChanged(spec: UpstreamSpec): UpstreamSpec | undefined {
    const known = this.#take(this.#byLogin.get(loginOf(spec)));
    return known && withId(spec, known.id);
  }

  #take(candidates: readonly UpstreamSpec[] | undefined): UpstreamSpec | undefined {
    const found = candidates?.find((spec) => !this.#taken.has(spec));
    if (found === undefined) return undefined;
    this.#taken.add(found);
    this.#ids.delete(found.id);
    return found;
  }
}

/** All that makes an entry what it is; its ID, which comes from its place in the list, does not. */
function selfOf(spec: UpstreamSpec): string {
  const { id, name, outgoingIp, ...rest } = spec;
  const own = { name: name === id ? undefined : name, outgoingIp: outgoingIp === id ? undefined : outgoingIp };
  return JSON.stringify({ ...rest, ...own }, (_, value: unknown) => (value instanceof Map ? [...value] : value));
}

/** Where an entry leads, and as whom. Ours: another user of one proxy is another way out, as vendors' users are. */
function loginOf(spec: UpstreamSpec): string {
  const base = baseOf(spec.id);
  const user = 'credentials' in spec ? (spec.credentials?.user ?? '') : '';
  return JSON.stringify([spec.kind, base, user]);
}

function withFreeId(spec: UpstreamSpec, isTaken: (id: string) => boolean): UpstreamSpec {
  if (!isTaken(spec.id)) return spec;
  const base = baseOf(spec.id);
  let id = base;
  for (let times = 2; isTaken(id); times += 1) id = `${base}#${times}`;
  return withId(spec, id);
}

function withId(spec: UpstreamSpec, id: string): UpstreamSpec {
  if (id === spec.id) return spec;
  const isOwnIp = spec.outgoingIp === spec.id && spec.kind !== 'local' && spec.kind !== 'direct';
  return {
    ...spec,
    id,
    name: spec.name === spec.id ? id : spec.name,
    outgoingIp: isOwnIp ? id : spec.outgoingIp,
  };
}

/** `#2`, `#3` stand behind the IDs of entries that would have one in common. */
function baseOf(id: string): string {
  return id.replace(/#\d+$/, '');
}

function add<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
