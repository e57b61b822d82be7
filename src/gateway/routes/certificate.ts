// `/ca.crt`: the CA certificate, for whoever is to trust it. It is public, so no API key is asked for.

import { Hono } from 'hono';

import type { CertificateAuthority } from '../certificates/certificate-authority.js';
import { onlyMethods, type RouteEnv } from './frame.js';

/** `GET /ca.crt`. @param open opens the CA, and makes it at first; called for each request */
export function certificateRoute(open: () => Promise<CertificateAuthority>): Hono<RouteEnv> {
  const routes = new Hono<RouteEnv>();
  routes.get('/ca.crt', async (c) => {
    const { certificatePem } = await open();
    // The type is what makes browsers and phones offer to install it.
    c.header('Content-Type', 'application/x-x509-ca-cert');
    c.header('Content-Disposition', 'attachment; filename="ca.crt"');
    return c.body(certificatePem);
  });
  routes.all('/ca.crt', onlyMethods('GET'));
  return routes;
}
