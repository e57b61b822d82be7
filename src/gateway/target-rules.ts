// Which targets and places a request may ask for: what the configuration says about them.

import type { Directives } from '../protocol/directives.js';
import { HEADER } from '../protocol/header-names.js';
import { isInDomains } from '../sessions/domains.js';
import { GatewayError } from '../sessions/errors.js';
import { standsFor } from '../upstreams/address-ranges.js';
import type { GatewayContext } from './context.js';
import type { Target } from './request-target.js';

/**
 * Refuses the gateway itself, what the lists of targets leave out, and private addresses.
 *
 * @throws GatewayError `domain_forbidden`
 */
export function refuseTarget(context: GatewayContext, target: Pick<Target, 'host' | 'port'>): void {
  const passed = passedOf(context);
  if (passed.has(target)) return;
  const refusal = refusalOf(context, target);
  if (refusal !== undefined) throw new GatewayError('domain_forbidden', refusal);
  passed.add(target);
}

/**
 * Refuses a state or city where no upstream is labelled with any: no upstream would ever do.
 *
 * @throws GatewayError `bad_header`
 */
export function refuseUnknownPlace(context: GatewayContext, { traits }: Pick<Directives, 'traits'>): void {
  for (const part of ['state', 'city'] as const) {
    if (traits[part] === undefined) continue;
    if (context.fleet.all().some((upstream) => upstream[part] !== undefined)) continue;
    throw new GatewayError('bad_header', `No upstream here is labelled with a ${part}; leave ${HEADER[part]} out`);
  }
}

/**
 * Targets that passed, by gateway: all requests of a tunnel have one, and the rules about it don't change. What its name
 * means is looked up, and checked, for each connection.
 */
const passedBy = new WeakMap<GatewayContext, WeakSet<object>>();

function passedOf(context: GatewayContext): WeakSet<object> {
  const known = passedBy.get(context);
  if (known !== undefined) return known;
  const passed = new WeakSet();
  passedBy.set(context, passed);
  return passed;
}

function refusalOf(context: GatewayContext, { host, port }: Pick<Target, 'host' | 'port'>): string | undefined {
  const { allow, deny } = context.options.targets;
  if (context.isOwnAuthority(host, port)) {
    return `${host}:${port} is this gateway itself; its API is asked directly, at its own address`;
  }
  // A denied address is not to be had in the other kind of spelling either; an allowed one is allowed as it stands.
  if (standsFor(host).some((name) => isInDomains(name, deny)))
    return `${host} is among the targets that this gateway does not contact (targets.deny)`;
  if (!isInDomains(host, allow)) return `${host} is not among the targets that this gateway contacts (targets.allow)`;
  return context.policy.refusal(host, port);
}
