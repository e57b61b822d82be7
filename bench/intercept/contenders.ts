// The proxies that are compared: this project's gateway, and mockttp where it is installed.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { Child } from '../shared/child.js';
import { CannotRun } from '../shared/arguments.js';
import type { Settings } from './options.js';

/** A proxy as its clients see it. */
export interface ProxyAccess {
  readonly port: number;
  /** What it signs with, PEM. */
  readonly ca: string;
  /** The user to name, where it asks for one. */
  readonly user?: string | undefined;
}

/** A proxy that runs. */
export interface Contender {
  readonly name: string;
  readonly child: Child;
  readonly access: ProxyAccess;
}

/** The proxies of a run. */
export interface Contenders {
  readonly ours: Contender;
  /** Undefined: it is not installed. */
  readonly peer: Contender | undefined;
}

/** Where and how the proxies run. */
export interface ContenderPlace extends Pick<Settings, 'gateway' | 'logLevel' | 'profileDir'> {
  readonly cpus: string | undefined;
  /** For what the gateway keeps. */
  readonly dataDir: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PEER = path.join(ROOT, 'bench/node_modules/mockttp/package.json');

/** What brings the peer. */
export const INSTALL_PEER = 'npm ci --prefix bench --ignore-scripts';

/** Starts the proxies; what is started is added to `started`. @throws CannotRun if there is no build */
export async function startContenders(place: ContenderPlace, started: Child[]): Promise<Contenders> {
  const { gateway, dataDir, logLevel, ...childOptions } = place;
  const file = path.resolve(gateway ?? path.join(ROOT, 'dist/gateway/index.js'));
  if (!existsSync(file)) throw new CannotRun(`There is no ${file}: run npm run build`);
  const start = async (name: string, packageFile: string, given: object): Promise<Contender> => {
    const child = new Child({ file: new URL(`children/${name}.js`, import.meta.url), ...childOptions });
    started.push(child);
    const access = await child.ask<ProxyAccess>('listen', given);
    return { name: nameOf(packageFile), child, access };
  };
  const entry = pathToFileURL(file).href;
  const ours = await start('gateway', path.join(ROOT, 'package.json'), { entry, dataDir, logLevel });
  return { ours, peer: existsSync(PEER) ? await start('mockttp', PEER, {}) : undefined };
}

function nameOf(packageFile: string): string {
  const { name, version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { name: string; version: string };
  return `${name} ${version}`;
}
