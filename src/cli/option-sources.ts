// Which flags and environment variables stand for which option of the configuration: the one table of them.

import { Option } from 'commander';

/** A flag that sets an option, and the environment variable that does, if there is one. */
export interface OptionSource {
  readonly path: readonly [section: string, member?: string];
  readonly flag: string;
  /** What stands behind the flag in the help; undefined: nothing, it is on or off. */
  readonly argument?: string | undefined;
  /** May be given several times; the variable holds several with commas between. */
  readonly isList?: boolean | undefined;
  /** What stands between two in the variable. @default a comma */
  readonly separator?: RegExp | undefined;
  readonly environment?: string | undefined;
  readonly help: string;
}

/** Commas before a URL. Others are its own: local://192.0.2.1,192.0.2.2 has them, and the users of some vendors have. */
const BEFORE_URL = /[\s,]*,(?=\s*[a-z][a-z0-9+.-]*:\/\/)/i;

/** Every option that a flag or variable can set. What they may hold is the schema's to say. */
export const OPTION_SOURCES: readonly OptionSource[] = [
  {
    path: ['host'],
    flag: '--host',
    argument: 'HOST',
    environment: 'SESSION_PROXY_HOST',
    help: 'name or address to listen on (default: 127.0.0.1)',
  },
  {
    path: ['port'],
    flag: '--port',
    argument: 'N',
    environment: 'SESSION_PROXY_PORT',
    help: 'port to listen on, 0 for any that is free (default: 8011)',
  },
  {
    path: ['tlsPort'],
    flag: '--tls-port',
    argument: 'N',
    help: 'port on which the same proxy is spoken over TLS (default: none)',
  },
  {
    path: ['apiKeys'],
    flag: '--api-key',
    argument: 'KEY',
    isList: true,
    environment: 'SESSION_PROXY_API_KEYS',
    help: 'key that clients must give, repeatable (default: one made at first start)',
  },
  {
    path: ['upstreams'],
    flag: '--upstream',
    argument: 'URL',
    isList: true,
    separator: BEFORE_URL,
    environment: 'SESSION_PROXY_UPSTREAMS',
    help: 'way out, repeatable: http://, https:// or socks5://[user:password@]host:port, local://ADDRESS, direct://',
  },
  {
    path: ['upstreamsFile'],
    flag: '--upstreams-file',
    argument: 'FILE',
    help: 'more ways out, one URL a line, read again when it changes; an http(s):// URL is asked every minute',
  },
  {
    path: ['delays', 'default'],
    flag: '--delay',
    argument: 'DURATION',
    environment: 'SESSION_PROXY_DELAY',
    help: 'gap between two uses of one outgoing IP (default: 12s)',
  },
  {
    path: ['delays', 'scope'],
    flag: '--delay-scope',
    argument: 'ip|ip+domain',
    help: 'one gap for each outgoing IP, or for each IP and domain (default: ip)',
  },
  {
    path: ['sessions', 'ttl'],
    flag: '--session-ttl',
    argument: 'DURATION',
    help: 'a session ends this long after its last use (default: 30m)',
  },
  {
    path: ['sessions', 'max'],
    flag: '--max-sessions',
    argument: 'N',
    help: 'sessions an API key may have at a time (default: 5000)',
  },
  {
    path: ['retries', 'default'],
    flag: '--retries',
    argument: 'N',
    help: 'how often a request without a session is sent again through another upstream (default: 5)',
  },
  {
    path: ['maxConnections'],
    flag: '--max-connections',
    argument: 'N',
    help: 'requests an API key may have in flight, 0 for no limit (default: 0)',
  },
  {
    path: ['intercept'],
    flag: '--intercept',
    argument: 'auto|always|never',
    help: 'look into https: where no session is named, always, or never (default: auto)',
  },
  {
    path: ['ca', 'cert'],
    flag: '--ca-cert',
    argument: 'FILE',
    environment: 'SESSION_PROXY_CA_CERT',
    help: 'certificate authority of interception (default: one made in the data directory)',
  },
  {
    path: ['ca', 'key'],
    flag: '--ca-key',
    argument: 'FILE',
    environment: 'SESSION_PROXY_CA_KEY',
    help: 'its private key',
  },
  {
    path: ['targets', 'allowPrivate'],
    flag: '--allow-private',
    help: 'let requests go to private, loopback and link-local addresses',
  },
  {
    path: ['dataDir'],
    flag: '--data-dir',
    argument: 'DIR',
    environment: 'SESSION_PROXY_DATA_DIR',
    help: 'where the API key and the certificate authority are kept (default: ~/.session-proxy)',
  },
  {
    path: ['store'],
    flag: '--store',
    argument: 'memory',
    environment: 'SESSION_PROXY_STORE',
    help: 'where sessions are kept: memory, so a restart loses them (default: memory)',
  },
  {
    path: ['log', 'level'],
    flag: '--log-level',
    argument: 'LEVEL',
    help: 'trace, debug, info, warn, error or silent (default: info)',
  },
  {
    path: ['log', 'format'],
    flag: '--log-format',
    argument: 'pretty|json',
    help: 'lines for people or programs (default: pretty on a terminal, else json)',
  },
];

/** The flag that names the configuration file. */
const CONFIG_FLAG = new Option(
  '--config <FILE>',
  'configuration, YAML or JSON (default: session-proxy.yaml, if there) [SESSION_PROXY_CONFIG]',
);

/** Makes the flags of a command: of all options, or of those at the given paths. */
export function flagsFor(paths?: readonly string[]): readonly Option[] {
  const wanted = OPTION_SOURCES.filter(({ path }) => paths === undefined || paths.includes(path.join('.')));
  return [CONFIG_FLAG, ...wanted.map(toFlag)];
}

function toFlag({ flag, argument, help, environment, isList }: OptionSource): Option {
  const described = environment === undefined ? help : `${help} [${environment}]`;
  const option = new Option(argument === undefined ? flag : `${flag} <${argument}>`, described);
  if (isList === true) {
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  }
  return option;
}
