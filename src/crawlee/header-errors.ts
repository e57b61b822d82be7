// What is said where transport 'headers' can't do its work: the header must not reach a target, and what keeps it from
// there is missing. The shapes Crawlee acts on are described in `errors.ts`.

import { NonRetryableError } from '@crawlee/core';

import { withCause } from './errors.js';

/** Over https the header goes inside the tunnel, where without the CA nobody knows who reads it. */
export function httpsNeedsCa(url: string): NonRetryableError {
  return new NonRetryableError(
    `transport 'headers' can't carry the session to ${url}: over https the header goes inside the tunnel, and only the ` +
      "server's certificate tells that it is read there and not by the target. Give the CA certificate of the server " +
      "as ca (`session-proxy ca --out ca.crt` writes a gateway's), or use transport 'credentials' for https targets.",
  );
}

/** Somebody without the server's CA answered inside the tunnel: the target itself, most likely. Nothing was sent. */
export function tunnelNotSeenInto(url: string, gatewayUrl: string, cause: Error): NonRetryableError {
  return withCause(
    new NonRetryableError(
      `Nothing was sent to ${url}: what answers inside the tunnel has no certificate of the CA in the option ca ` +
        `(${cause.message}). Either ${gatewayUrl} does not look inside tunnels (intercept: never), or ca is that of ` +
        "another server; transport 'credentials' needs neither.",
    ),
    cause,
  );
}

/** Only Crawlee's own client lets us verify the certificate and keep the header off a redirect. */
export function clientCannotKeepHeader(name: string): TypeError {
  return new TypeError(
    `transport 'headers' does not go with the httpClient ${name}: it can't be kept from taking the session header to a ` +
      "target. Leave httpClient out, extend Crawlee's GotScrapingHttpClient, or use transport 'credentials'.",
  );
}
