// This project's gateway as a contender: as built, with no delay unless one is asked for, one way out that leaves from
// this machine, and sessions made before anything is measured.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { SessionsClient } from '../../src/client/index.js';
import type { GatewayOptions } from '../../src/gateway/gateway-options.js';
import type { Child } from '../shared/child.js';
import type { Bench } from './bench.js';
import { type Contender, packageLabel, ROOT } from './contender.js';
import { CannotRun } from '../shared/arguments.js';

/** What a gateway is started with. */
export interface GatewayGiven {
  /** How many sessions are made. */
  readonly sessions: number;
  readonly options?: GatewayOptions | undefined;
  readonly flags?: readonly string[] | undefined;
}

const API_KEY = 'benchmark-key';

/** Sessions that are made at a time. */
const MADE_AT_ONCE = 16;

/** Starts a gateway. @throws CannotRun where there is no build */
export async function startGateway(bench: Bench, given: GatewayGiven): Promise<Contender & { readonly child: Child }> {
  const child = bench.start(new URL('children/gateway.js', import.meta.url), 'proxies', {
    flags: given.flags,
    profilesItself: true,
  });
  const options: GatewayOptions = {
    host: '127.0.0.1',
    port: 0,
    apiKeys: [API_KEY],
    upstreams: ['direct://'],
    delays: { default: 0 },
    // A run takes long, and not all sessions are used in each part of it.
    sessions: { ttl: '12h', max: 1_000_000 },
    targets: { allowPrivate: true },
    dataDir: bench.directory,
    log: { level: 'silent' },
    ...given.options,
  };
  const { port } = await child.ask<{ port: number }>('listen', { entry: entryOf(bench, 'gateway/index.js'), options });
  const label = packageLabel(path.join(ROOT, 'package.json'));
  const authorization = `Basic ${btoa(`${API_KEY}:`)}`;
  const sessions = await makeSessions(port, given.sessions);
  const { profileDir } = bench.settings;
  // The making of sessions, thousands of calls of the API, would hide what follows.
  if (profileDir !== undefined) await child.ask('profileUntilExit', { directory: path.resolve(profileDir) });
  return { label, port, pid: child.pid, authorization, sessions, child };
}

/** URL of a built file. @throws CannotRun where it isn't built */
export function entryOf({ settings }: Bench, file: string): string {
  const built = path.resolve(settings.dist, file);
  if (!existsSync(built)) throw new CannotRun(`There is no ${built}: run npm run build`);
  return pathToFileURL(built).href;
}

async function makeSessions(port: number, count: number): Promise<readonly string[]> {
  const client = new SessionsClient(`http://${API_KEY}:@127.0.0.1:${port}`);
  const ids: string[] = [];
  let left = count;
  const lane = async (): Promise<void> => {
    for (; left > 0;) {
      left -= 1;
      ids.push((await client.create({})).id);
    }
  };
  await Promise.all(Array.from({ length: MADE_AT_ONCE }, lane));
  return ids;
}
