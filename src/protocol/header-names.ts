// Names of the protocol's header fields, in the case in which answers must carry them: some clients compare names with
// `===`. Also: which fields end at a proxy and never reach a target.

/** Fields of the protocol that this gateway reads or writes. */
export const HEADER = {
  session: 'X-Crawlera-Session',
  maxRetries: 'X-Crawlera-Max-Retries',
  timeout: 'X-Crawlera-Timeout',
  noBancheck: 'X-Crawlera-No-Bancheck',
  cookies: 'X-Crawlera-Cookies',
  profile: 'X-Crawlera-Profile',
  profilePass: 'X-Crawlera-Profile-Pass',
  userAgent: 'X-Crawlera-UA',
  noUserAgent: 'X-Crawlera-No-UA',
  useHttps: 'X-Crawlera-Use-HTTPS',
  region: 'X-Crawlera-Region',
  state: 'X-Crawlera-State',
  city: 'X-Crawlera-City',
  jobId: 'X-Crawlera-JobId',
  client: 'X-Crawlera-Client',
  debug: 'X-Crawlera-Debug',
  debugRequestTime: 'X-Crawlera-Debug-Request-Time',
  debugUserAgent: 'X-Crawlera-Debug-UA',
  version: 'X-Crawlera-Version',
  error: 'X-Crawlera-Error',
  outgoingIp: 'X-Crawlera-Slave',
  ipChanged: 'X-Session-Proxy-Ip-Changed',
  nextRequestIn: 'X-Crawlera-Next-Request-In',
  retryAfter: 'Retry-After',
  proxyAuthenticate: 'Proxy-Authenticate',
  wwwAuthenticate: 'WWW-Authenticate',
} as const;

/** Fields of the proxy mode of Zyte API, the successor, that this gateway reads or writes. */
export const ZYTE_HEADER = {
  session: 'Zyte-Session-ID',
  device: 'Zyte-Device',
  overrideHeaders: 'Zyte-Override-Headers',
  geolocation: 'Zyte-Geolocation',
  cookieManagement: 'Zyte-Cookie-Management',
  jobId: 'Zyte-JobId',
  client: 'Zyte-Client',
  requestId: 'Zyte-Request-Id',
  errorType: 'Zyte-Error-Type',
  errorTitle: 'Zyte-Error-Title',
} as const;

/** Value of the session header that asks for a new session; compared without regard to case. */
export const CREATE_SESSION = 'create';

/** What the names of the fields of either dialect start with, in lower case. */
export const SPM_PREFIX = 'x-crawlera-';
export const ZYTE_PREFIX = 'zyte-';

/** What the names of fields that neither dialect has start with, in lower case. */
export const OWN_PREFIX = 'x-session-proxy-';

/** Fields that speak of one connection only, and credentials meant for a proxy. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const PREFIXES = [SPM_PREFIX, ZYTE_PREFIX, OWN_PREFIX];

/** What is known of a field by its name. */
export interface FieldName {
  readonly lowerCase: string;
  /** Whether it ends at this hop, whatever the message says besides. */
  readonly endsHere: boolean;
}

/** Bound of the names that are remembered. */
const MAX_NAMES = 1000;

/** By how they are written: messages have few, and the same in each. */
const names = new Map<string, FieldName>();

/** Reads the name of a field. */
export function readFieldName(written: string): FieldName {
  const known = names.get(written);
  if (known !== undefined) return known;
  const lowerCase = written.toLowerCase();
  const name = { lowerCase, endsHere: HOP_BY_HOP.has(lowerCase) || isProtocolHeader(lowerCase) };
  if (names.size >= MAX_NAMES) names.clear();
  // Longer ones are nobody's habit.
  if (written.length < 100) names.set(written, name);
  return name;
}

/** Whether a field, known or not, belongs to the protocol and so never crosses the gateway. */
export function isProtocolHeader(lowerCaseName: string): boolean {
  return PREFIXES.some((prefix) => lowerCaseName.startsWith(prefix));
}

/** Whether a field ends at this hop. `connectionOptions` are the names that the `Connection` field lists. */
export function isHopByHop(lowerCaseName: string, connectionOptions: ReadonlySet<string>): boolean {
  return HOP_BY_HOP.has(lowerCaseName) || connectionOptions.has(lowerCaseName);
}
