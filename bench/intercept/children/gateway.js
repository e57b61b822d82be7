// This project's gateway, as built: no delay, every CONNECT intercepted, one upstream that leaves from this machine.
// Whatever else a gateway does by default is on.

import { openSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';

import { answerParent, cpuMicros } from '../../shared/parent.js';

answerParent({
  cpuMicros,
  async listen({ entry, dataDir, logLevel }) {
    const { Gateway } = await import(entry);
    const gateway = new Gateway(
      {
        port: 0,
        dataDir,
        upstreams: ['local://127.0.0.1'],
        delays: { default: 0 },
        intercept: 'always',
        targets: { allowPrivate: true, insecure: ['*'] },
      },
      logLevel === 'silent' ? {} : { onEvent: await createLog(entry, logLevel) },
    );
    await gateway.listen();
    const ca = await (await fetch(`${gateway.url}/ca.crt`)).text();
    const { port, username } = new URL(gateway.proxyUrl);
    return { port: Number(port), ca, user: username };
  },
});

/** The log of `session-proxy serve`, which writes each line at once; here to nowhere. */
async function createLog(entry, level) {
  const { createLogSink } = await import(new URL('log.js', entry));
  const nowhere = openSync(devNull, 'w');
  return createLogSink({ level, format: 'json' }, { write: (line) => writeSync(nowhere, line) });
}
