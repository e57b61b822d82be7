// HTTP Basic credentials. The user is the API key; what the password may say is in `credentials.ts`.

/** User and password of a Basic header. */
export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

const BASIC = /^\s*basic\s+([\w+/=-]+)\s*$/i;

/**
 * Reads the value of an `Authorization` or `Proxy-Authorization` field. Both base64 alphabets are understood, for real
 * clients send either; credentials without a colon are a user without a password.
 */
export function readBasicAuth(value: string | undefined): BasicCredentials | undefined {
  const encoded = BASIC.exec(value ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon === -1) return { user: decoded, password: '' };
  return { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
