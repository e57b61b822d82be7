// tinyproxy from the system's packages, without logs. It speaks HTTP/1.0 to targets and keeps no connection to them.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Bench } from '../bench.js';
import { type Contender, labelOf, type Missing, USER } from '../contender.js';
import { findFreePort } from './free-port.js';
import { startSystemProxy, versionOf } from './system-proxy.js';

/** Starts tinyproxy. */
export async function startTinyproxy(bench: Bench, authorization: string): Promise<Contender | Missing> {
  const version = versionOf('tinyproxy', '-v', /tinyproxy (\S+)/);
  if (version === undefined) {
    return { label: labelOf('tinyproxy', authorization), missing: 'tinyproxy is not installed' };
  }
  const port = await findFreePort();
  const file = path.join(bench.directory, 'tinyproxy.conf');
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Timeout 600',
    'MaxClients 1024',
    'LogLevel Critical',
    'DisableViaHeader Yes',
    `BasicAuth ${USER.name} ${USER.password}`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const pid = await startSystemProxy(bench, ['tinyproxy', '-d', '-c', file], port);
  return { label: labelOf(`tinyproxy ${version}`, authorization), port, pid, authorization };
}
