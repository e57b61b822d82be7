import { expect, test } from 'vitest';
import { MAX_SESSION_TUNNELS, noteClosed, noteOpened, type SessionTunnel } from '../../src/sessions/session-tunnels.js';

const TARGET = 'example.com:443';

test('tunnels to one target are counted together', () => {
  const tunnels: SessionTunnel[] = [];
  noteOpened(tunnels, TARGET);
  noteOpened(tunnels, TARGET);
  noteOpened(tunnels, 'other.example:443');
  noteClosed(tunnels, TARGET, 700);
  expect(tunnels).toMatchObject([
    { target: TARGET, open: 1 },
    { target: 'other.example:443', open: 1 },
  ]);
});

test('a target is remembered when its last tunnel is closed, with the time', () => {
  const tunnels: SessionTunnel[] = [];
  noteOpened(tunnels, TARGET);
  noteClosed(tunnels, TARGET, 700);
  expect(tunnels).toEqual([{ target: TARGET, open: 0, closedAtMs: 700 }]);
});

test.each([
  ['the one closed for longest', [3, 9, 5], 3],
  ['the first one, where all are open', [], 0],
] as const)('past the bound one leaves: %s', (_, closed, left) => {
  const tunnels: SessionTunnel[] = [];
  for (let index = 0; index < MAX_SESSION_TUNNELS; index += 1) noteOpened(tunnels, `${index}.example:443`);
  for (const [order, index] of closed.entries()) noteClosed(tunnels, `${index}.example:443`, 100 + order);
  noteOpened(tunnels, TARGET);
  expect(tunnels).toHaveLength(MAX_SESSION_TUNNELS);
  expect(tunnels.map(({ target }) => target)).not.toContain(`${left}.example:443`);
});

test('one that was forgotten while it was open closes without a trace, or below nothing', () => {
  const tunnels: SessionTunnel[] = [];
  noteClosed(undefined, TARGET, 1);
  noteClosed(tunnels, TARGET, 1);
  expect(tunnels).toEqual([]);
  noteOpened(tunnels, TARGET);
  noteClosed(tunnels, TARGET, 2);
  noteClosed(tunnels, TARGET, 3);
  expect(tunnels).toEqual([{ target: TARGET, open: 0, closedAtMs: 3 }]);
});
