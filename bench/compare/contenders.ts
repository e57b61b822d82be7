// The proxies that are compared, by name. Each is started when a row first asks for it; one that isn't installed says so.

import type { Child } from '../shared/child.js';
import type { Bench } from './bench.js';
import { AUTHORIZATION, type Contender, labelOf, type Missing, PROXY_CHAIN, USER } from './contender.js';
import { startGateway } from './gateway-contender.js';
import { startSquid } from './peers/squid.js';
import { startTinyproxy } from './peers/tinyproxy.js';

/** Who takes part. `none`: the client goes to the target itself, which is the most that load and target can do. */
export type ContenderName =
  | 'gateway'
  | 'proxy-chain'
  | 'proxy-chain-auth'
  | 'forwarder'
  | 'squid'
  | 'squid-auth'
  | 'tinyproxy-auth'
  | 'none';

/** Finds a contender, and starts it on the first call. */
export function contender(bench: Bench, name: ContenderName): Promise<Contender | Missing> {
  return bench.once(`contender ${name}`, () => STARTS[name](bench));
}

const STARTS: Record<ContenderName, (bench: Bench) => Promise<Contender | Missing>> = {
  gateway: (bench) => startGateway(bench, { sessions: 5000 }),
  'proxy-chain': (bench) => startProxyChain(bench, { withUser: false }),
  'proxy-chain-auth': (bench) => startProxyChain(bench, { withUser: true }),
  forwarder: async (bench) => {
    const child = bench.start(new URL('children/forwarder.js', import.meta.url), 'proxies');
    const { port } = await child.ask<{ port: number }>('listen');
    return { label: 'bare node:http forwarder', port, pid: child.pid, child };
  },
  squid: (bench) => startSquid(bench, undefined),
  'squid-auth': (bench) => startSquid(bench, AUTHORIZATION),
  'tinyproxy-auth': (bench) => startTinyproxy(bench, AUTHORIZATION),
  none: async (bench) => ({ label: 'no proxy', port: (await bench.target()).ports.answers, pid: undefined }),
};

/** How proxy-chain is started. */
export interface ProxyChainGiven {
  /** Whether it asks for a user. */
  readonly withUser: boolean;
  readonly flags?: readonly string[] | undefined;
}

/** Starts proxy-chain. */
export async function startProxyChain(
  bench: Bench,
  { withUser, flags = [] }: ProxyChainGiven,
): Promise<Contender & { readonly child: Child }> {
  const child = bench.start(new URL('children/proxy-chain.js', import.meta.url), 'proxies', { flags });
  const authorization = withUser ? AUTHORIZATION : undefined;
  const { port } = await child.ask<{ port: number }>('listen', { user: withUser ? USER : undefined });
  return { label: labelOf(PROXY_CHAIN, authorization), port, pid: child.pid, authorization, child };
}
