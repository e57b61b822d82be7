// A machine leaves from any address of an IPv6 prefix only where its network is set up for that. So this sets one up,
// in a network that is the child process's own; the one of this machine stays as it is.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

import { isInPrefix } from '../../src/upstreams/address-prefix.js';
import { needs } from '../support/needs.js';

const PREFIX = { network: 'fd12:3456:789a::', bits: 64 };
const ROUTE = `ip link set lo up && ip -6 route add local ${PREFIX.network}/${PREFIX.bits} dev lo`;
const FOREIGN = 'echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind';
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const CHILD = fileURLToPath(new URL('leave-by-ipv6.ts', import.meta.url));

/** Runs a shell command as root of a network of its own. */
function inOwnNetwork(command: string, ...args: string[]) {
  const shell = ['-r', '-n', 'sh', '-c', command, 'sh', ...args];
  return spawnSync('unshare', shell, { encoding: 'utf8', timeout: 30_000 });
}

function leave(setUp: string) {
  const url = `local://${PREFIX.network}/${PREFIX.bits}`;
  return inOwnNetwork(`${setUp} && exec "$@"`, process.execPath, '--import', TSX, CHILD, url);
}

needs(
  {
    what: 'a network of its own with IPv6',
    isThere: inOwnNetwork(`${ROUTE} && ${FOREIGN}`).status === 0,
    command: 'apt-get install util-linux iproute2, on Linux with user namespaces',
  },
  () => {
    test('each session leaves from an address of its own in an IPv6 prefix', () => {
      const { stdout, stderr } = leave(`${ROUTE} && ${FOREIGN}`);
      expect(stderr).toBe('');
      const { drawn, seen }: { drawn: string[]; seen: string[] } = JSON.parse(stdout);
      expect(seen).toEqual(drawn);
      expect(new Set(drawn).size).toBe(3);
      expect(drawn.filter((address) => !isInPrefix(address, PREFIX))).toEqual([]);
    });

    test('the route alone is not enough, and the error says what is missing', () => {
      const { status, stderr } = leave(ROUTE);
      expect(status).not.toBe(0);
      expect(stderr).toContain(
        'ip -6 route add local fd12:3456:789a::/64 dev lo, and sysctl net.ipv6.ip_nonlocal_bind=1',
      );
    });
  },
);
