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

const PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** Takes a proxy URL apart, as Crawlee's `ProxyInfo` has it: decoded, and with the port that the URL leaves out. */
export function partsOfProxyUrl(url: string) {
  const { username, password, hostname, port, protocol } = new URL(url);
  return {
    url,
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    hostname,
    port: port === '' ? (PORTS[protocol] ?? '') : port,
  };
}

/** Reads which session a proxy URL names; undefined if none. */
export function readProxySessionId(proxyUrl: string): string | undefined {
  return readSessionParameter(decodeURIComponent(new URL(proxyUrl).password));
}

/** Reads which session the password of a proxy names; undefined if none. */
export function readSessionParameter(password: string): string | undefined {
  return /^session-(.+)$/.exec(password)?.[1];
}
