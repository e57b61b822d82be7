// What a contender is: a proxy that runs, as its clients and the report see it.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Child } from '../shared/child.js';

/** A proxy that runs, as its clients see it. */
export interface Contender {
  readonly label: string;
  readonly port: number;
  /** Whose processor time counts; undefined where there is no proxy. */
  readonly pid: number | undefined;
  /** Value of `Proxy-Authorization`, where it asks for one. */
  readonly authorization?: string | undefined;
  /** IDs that the requests are spread over. */
  readonly sessions?: readonly string[] | undefined;
  /** Where it is a child that can be asked. */
  readonly child?: Child | undefined;
}

/** A contender that is not there. */
export interface Missing {
  readonly label: string;
  /** `squid is not installed`. */
  readonly missing: string;
}

/** What clients of the peers name themselves with. */
export const USER = { name: 'bench', password: 'secret123' } as const;
export const AUTHORIZATION = `Basic ${btoa(`${USER.name}:${USER.password}`)}`;

/** `squid 5.7, auth`. */
export function labelOf(name: string, authorization: string | undefined): string {
  return authorization === undefined ? name : `${name}, auth`;
}

/** `name version` of a package. */
export function packageLabel(packageFile: string): string {
  const { name, version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { name: string; version: string };
  return `${name} ${version}`;
}

/** The project, whose packages the contenders load. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const PROXY_CHAIN = packageLabel(path.join(ROOT, 'node_modules/proxy-chain/package.json'));
