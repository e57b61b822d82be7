// How a command finds the gateway that it talks to: by URL, or by the configuration and data directory of `serve`.

import { Option } from 'commander';

import { SessionsClient } from '../client/index.js';
import { apiKeyFileIn, readApiKey, requireDataDir } from './api-key-file.js';
import type { CommandInput, Configuration } from './configuration.js';
import { CliFailure, EXIT } from './failure.js';
import { flagsFor } from './option-sources.js';

/** Makes the flags of a command that talks to a gateway. */
export function accessFlags(): readonly Option[] {
  const url = new Option(
    '--url <URL>',
    'gateway, as http://KEY:@host:port (default: the one that `serve` runs here) [SESSION_PROXY_URL]',
  );
  return [url, ...serveFlags()];
}

/**
 * Makes a client of the gateway that is meant.
 *
 * @throws CliFailure if the URL or the configuration is refused, or no API key was made yet
 */
export async function openClient(input: CommandInput): Promise<SessionsClient> {
  const given = givenUrl(input);
  if (given === undefined) return new SessionsClient(await urlOfServe(input));
  try {
    return new SessionsClient(given.url);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CliFailure(EXIT.badArguments, `${given.origin}: ${error.message}`, error);
  }
}

/**
 * Tells the API key that `serve` goes by: the first that is configured, else the one in the data directory.
 *
 * @throws CliFailure if there is neither
 */
export async function resolveApiKey({ resolved: { apiKeys, dataDir } }: Configuration): Promise<string> {
  if (apiKeys[0] !== undefined) return apiKeys[0];
  const directory = requireDataDir(dataDir);
  const apiKey = await readApiKey(directory);
  if (apiKey !== undefined) return apiKey;
  throw new CliFailure(
    EXIT.failed,
    `There is no API key in ${apiKeyFileIn(directory)} yet: start \`session-proxy serve\` once, it makes one`,
  );
}

/** The flags that lead to the gateway of `serve`, as a URL does. */
function serveFlags(): readonly Option[] {
  return flagsFor(['host', 'port', 'apiKeys', 'dataDir']);
}

/** The URL that counts: that of the flag, or of the variable where no flag leads to a gateway. */
function givenUrl({ flags, environment }: CommandInput): { readonly url: string; readonly origin: string } | undefined {
  const others = serveFlags().flatMap((flag) => (flags[flag.attributeName()] === undefined ? [] : [String(flag.long)]));
  const url = flags['url'];
  if (typeof url === 'string') {
    if (others.length === 0) return { url, origin: '--url' };
    const told = `--url names the gateway and its API key already: leave out ${others.join(', ')}, or --url`;
    throw new CliFailure(EXIT.badArguments, told);
  }
  const variable = environment['SESSION_PROXY_URL'];
  // An empty variable is an unset one, as in the configuration.
  return others.length > 0 || !variable ? undefined : { url: variable, origin: 'SESSION_PROXY_URL' };
}

async function urlOfServe(input: CommandInput): Promise<string> {
  // Loading the schema takes time that a given URL saves.
  const { loadConfigurationOfClient } = await import('./configuration.js');
  const configuration = await loadConfigurationOfClient(input);
  const { host, port } = configuration.resolved;
  if (port === 0) {
    throw new CliFailure(
      EXIT.badArguments,
      'The configured port is 0, any that is free: give the true one with --port or --url',
    );
  }
  return `http://${await resolveApiKey(configuration)}:@${reachable(host)}:${port}`;
}

/** The address under which this machine reaches what listens on `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
