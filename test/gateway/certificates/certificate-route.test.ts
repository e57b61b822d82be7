import { expect, test } from 'vitest';

import { openCertificateAuthority } from '../../../src/gateway/certificates/certificate-authority.js';
import { certificateRoute } from '../../../src/gateway/routes/certificate.js';
import { createDirectory } from './tls-peers.js';

test('the certificate is given to whoever asks, as browsers install it', async () => {
  const authority = await openCertificateAuthority({
    dataDir: await createDirectory(),
    cert: undefined,
    key: undefined,
  });
  const answer = await certificateRoute(async () => authority).request('/ca.crt');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/x-x509-ca-cert');
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="ca.crt"');
  expect(await answer.text()).toBe(authority.certificatePem);
});

test('other methods are refused, and open no CA', async () => {
  const routes = certificateRoute(() => expect.unreachable('it was opened'));
  const answer = await routes.request('/ca.crt', { method: 'POST' });
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
});
