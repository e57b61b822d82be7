// Writes and reads the proxy URL of a session: `http://KEY:session-ID@host:port`, the session in the password.

import type { GatewayAddress } from '../client/gateway-url.js';

/** Writes the proxy URL of a session, or that of the gateway without one. */
export function writeProxyUrl({ url, apiKey }: GatewayAddress, proxySessionId?: string): string {
  const password = proxySessionId === undefined ? '' : `session-${proxySessionId}`;
  return url.replace('//', `//${encodeURIComponent(apiKey)}:${encodeURIComponent(password)}@`);
}

/** Whether a proxy URL leads to this gateway. */
export function leadsTo({ url }: GatewayAddress, proxyUrl: string | undefined): proxyUrl is string {
  return proxyUrl !== undefined && URL.canParse(proxyUrl) && new URL(proxyUrl).origin === url;
}

/** Reads which session a proxy URL names; undefined if none. */
export function readProxySessionId(proxyUrl: string): string | undefined {
  return readSessionParameter(decodeURIComponent(new URL(proxyUrl).password));
}

/** Reads which session the password of a proxy names; undefined if none. */
export function readSessionParameter(password: string): string | undefined {
  return /^session-(.+)$/.exec(password)?.[1];
}
