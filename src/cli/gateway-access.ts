// How a command finds the gateway that it talks to: by URL, or by the configuration and data directory of `serve`.

import { Option } from 'commander';

import { SessionsClient } from '../client/index.js';
import { apiKeyFileIn, readApiKey } from './api-key-file.js';
import type { CommandInput, Configuration } from './configuration.js';
import { CliFailure, EXIT } from './failure.js';
import { flagsFor } from './option-sources.js';

/** Makes the flags of a command that talks to a gateway. */
export function accessFlags(): readonly Option[] {
  const url = new Option(
    '--url <URL>',
    'gateway, as http://KEY:@host:port (default: the one that `serve` runs here) [SESSION_PROXY_URL]',
  );
  return [url, ...flagsFor(['host', 'port', 'apiKeys', 'dataDir'])];
}

/**
 * Makes a client of the gateway that is meant.
 *
 * @throws CliFailure if the URL or the configuration is refused, or no API key was made yet
 */
export async function openClient(input: CommandInput): Promise<SessionsClient> {
  const given = input.flags['url'] ?? (input.environment['SESSION_PROXY_URL'] || undefined);
  const url = typeof given === 'string' ? given : await urlOfServe(input);
  try {
    return new SessionsClient(url);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const origin = input.flags['url'] === undefined ? 'SESSION_PROXY_URL' : '--url';
    throw new CliFailure(EXIT.badArguments, `${origin}: ${error.message}`, error);
  }
}

/**
 * Tells the API key that `serve` goes by: the first that is configured, else the one in the data directory.
 *
 * @throws CliFailure if there is neither
 */
export async function resolveApiKey({ resolved: { apiKeys, dataDir } }: Configuration): Promise<string> {
  const apiKey = apiKeys[0] ?? (await readApiKey(dataDir));
  if (apiKey !== undefined) return apiKey;
  const file = apiKeyFileIn(dataDir);
  throw new CliFailure(
    EXIT.failed,
    `There is no API key in ${file} yet: start \`session-proxy serve\` once, it makes one`,
  );
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
