// Squid from the system's packages: one worker, no cache, no logs, its connections to targets kept.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Bench } from '../bench.js';
import { type Contender, labelOf, type Missing } from '../contender.js';
import { findFreePort } from './free-port.js';
import { startSystemProxy, versionOf } from './system-proxy.js';

/** `bench:secret123`, as `htpasswd` writes it. */
const PASSWORD_LINE = 'bench:$apr1$tCw3PYkL$dHXooOvsT84JzKgAhVg6i1';

/** Where distributions put the program that checks a password file. */
const HELPERS = ['/usr/lib/squid', '/usr/lib64/squid', '/usr/libexec/squid'].map((at) => `${at}/basic_ncsa_auth`);

/** The user that Squid is run as where this process is root, which Squid refuses to be. */
const SQUID_USER = 'proxy';

/** Starts Squid; `authorization` undefined: for everybody. */
export async function startSquid(bench: Bench, authorization: string | undefined): Promise<Contender | Missing> {
  const version = versionOf('squid', '-v', /Version (\S+)/);
  if (version === undefined) return { label: labelOf('squid', authorization), missing: 'squid is not installed' };
  const label = labelOf(`squid ${version}`, authorization);
  const helper = HELPERS.find((file) => existsSync(file));
  if (authorization !== undefined && helper === undefined)
    return { label, missing: 'basic_ncsa_auth is not installed' };
  const port = await findFreePort();
  const directory = path.join(bench.directory, authorization === undefined ? 'squid' : 'squid-auth');
  await mkdir(directory);
  const file = path.join(directory, 'squid.conf');
  await writeFile(path.join(directory, 'users'), `${PASSWORD_LINE}\n`);
  await writeFile(file, configuration({ port, directory, helper: authorization && helper }));
  await giveTo(bench, directory);
  const pid = await startSystemProxy(bench, ['squid', '-N', '-f', file], port);
  return { label, port, pid, authorization };
}

interface ConfigurationParts {
  readonly port: number;
  readonly directory: string;
  /** Undefined: no authentication. */
  readonly helper: string | undefined;
}

function configuration({ port, directory, helper }: ConfigurationParts): string {
  const access =
    helper === undefined
      ? ['http_access allow all']
      : [
          `auth_param basic program ${helper} ${directory}/users`,
          'auth_param basic children 1',
          'auth_param basic credentialsttl 12 hours',
          'acl known proxy_auth REQUIRED',
          'http_access allow known',
          'http_access deny all',
        ];
  return [
    `http_port 127.0.0.1:${port}`,
    'workers 1',
    'cache deny all',
    'access_log none',
    `cache_log ${directory}/cache.log`,
    'cache_store_log none',
    'pid_filename none',
    `coredump_dir ${directory}`,
    `cache_effective_user ${SQUID_USER}`,
    'pinger_enable off',
    'forwarded_for delete',
    'via off',
    'shutdown_lifetime 0 seconds',
    ...access,
    '',
  ].join('\n');
}

/** Lets Squid write its log there, as the user that it becomes. */
async function giveTo({ directory }: Bench, own: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, SQUID_USER], { encoding: 'utf8' }).stdout),
  );
  if (!uid || !gid) throw new Error(`Squid is run as the user ${SQUID_USER}, who is not known here`);
  await chmod(directory, 0o755);
  await chown(own, uid, gid);
}
