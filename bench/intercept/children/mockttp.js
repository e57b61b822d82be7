// mockttp as an intercepting proxy that passes everything on. What it would keep or work out about each request for tests
// is off, for a proxy has no use for it.

import { generateCACertificate, getLocal } from 'mockttp';

import { answerParent, cpuMicros } from '../../shared/parent.js';

answerParent({
  cpuMicros,
  async listen() {
    const https = await generateCACertificate();
    const server = getLocal({ https, recordTraffic: false, suggestChanges: false, cors: false });
    await server.forAnyRequest().thenPassThrough({ ignoreHostHttpsErrors: true });
    await server.start();
    return { port: server.port, ca: https.cert };
  },
});
