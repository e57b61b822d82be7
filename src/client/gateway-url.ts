// What the client takes from a proxy URL: where the gateway is and which API key to show. A URL is never repeated in
// a message, for it holds the key.

/** A gateway as the client reaches it. */
export interface GatewayAddress {
  /** `http://host:port`, without the key. */
  readonly url: string;
  readonly apiKey: string;
}

/**
 * Reads `http://KEY:@host:port`. A password, such as `session-name` in the URL of one session, is left aside.
 *
 * @throws TypeError if this is no such URL
 */
export function resolveGatewayUrl(proxyUrl: string): GatewayAddress {
  const url = URL.canParse(proxyUrl) ? new URL(proxyUrl) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError('This is not the URL of a gateway: write http://KEY:@host:port');
  }
  const apiKey = decodeURIComponentOrNothing(url.username);
  if (apiKey === '') {
    throw new TypeError(`The URL of the gateway at ${url.origin} has no API key: write http://KEY:@${url.host}`);
  }
  return { url: url.origin, apiKey };
}

function decodeURIComponentOrNothing(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that encodes nothing is in no API key.
    return '';
  }
}
