// Runs a gateway: key, log, what the user is told, and the end by signal.

import { BlockList, isIP } from 'node:net';

import { Gateway } from '../gateway/index.js';
import { createLogSink } from '../gateway/log.js';
import { ConfigurationError } from '../gateway/option-faults.js';
import type { ResolvedOptions } from '../gateway/options.js';
import { apiKeyFileIn, openApiKey, requireDataDir } from './api-key-file.js';
import { print } from './command-input.js';
import { loadConfiguration } from './configuration.js';
import type { CommandInput } from './configuration.js';
import { CliFailure, EXIT, systemCodeOf } from './failure.js';

/** Where the API key comes from, which is what the user is told about it. */
type KeyOrigin = { readonly kind: 'configured' } | { readonly kind: 'kept' | 'new'; readonly file: string };

/**
 * Runs a gateway until the first SIGINT or SIGTERM, then lets it drain; a second signal ends the process at once.
 *
 * @throws CliFailure if the configuration is refused or the gateway can't listen
 */
export async function serve(input: CommandInput): Promise<void> {
  const { options, resolved } = await loadConfiguration(input);
  const { apiKeys, origin } = await findApiKeys(resolved);
  const onEvent = createLogSink({ ...resolved.log, secrets: [...apiKeys, ...passwordsOf(resolved)] });
  const gateway = new Gateway({ ...options, apiKeys }, { onEvent });
  warnOfClearText(resolved.host);
  const stopped = firstSignal();
  await listen(gateway, resolved);
  announce(gateway, origin);
  await stopped;
  await gateway.close();
}

async function findApiKeys({
  apiKeys,
  dataDir,
}: ResolvedOptions): Promise<{ apiKeys: readonly string[]; origin: KeyOrigin }> {
  if (apiKeys.length > 0) return { apiKeys, origin: { kind: 'configured' } };
  const directory = requireDataDir(dataDir);
  const { apiKey, isNew } = await openApiKey(directory);
  return { apiKeys: [apiKey], origin: { kind: isNew ? 'new' : 'kept', file: apiKeyFileIn(directory) } };
}

async function listen(gateway: Gateway, { host, port }: ResolvedOptions): Promise<void> {
  try {
    await gateway.listen();
  } catch (error) {
    await gateway.close();
    if (error instanceof ConfigurationError) throw new CliFailure(EXIT.badArguments, error.message, error);
    throw new CliFailure(EXIT.failed, whyNotListening(systemCodeOf(error), host, port) ?? String(error), error);
  }
}

function whyNotListening(code: string | undefined, host: string, port: number): string | undefined {
  if (code === 'EADDRINUSE') {
    return `Port ${port} of ${host} is taken: end what listens there, or give another with --port (0 for any that is free)`;
  }
  if (code === 'EACCES') return `Port ${port} needs more rights than this user has: give one above 1023 with --port`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `${host} is no address of this machine: give one with --host`;
  }
  return undefined;
}

/** Tells where the gateway is; the key is told once, when it was just made, and never goes through the log. */
function announce(gateway: Gateway, origin: KeyOrigin): void {
  print(`session-proxy listens on ${gateway.url}`);
  if (origin.kind === 'configured') return print('The API key is that of the configuration.');
  if (origin.kind === 'kept') return print(`The API key is in ${origin.file}; \`session-proxy key\` prints it.`);
  print(`
An API key was made and is kept in ${origin.file}. This is the proxy URL with it, shown this once:

  ${gateway.proxyUrl}

Try it:

  curl -i -x ${gateway.proxyUrl} http://example.com/
`);
}

function warnOfClearText(host: string): void {
  if (isLoopback(host)) return;
  process.stderr.write(
    `Warning: ${host} is not a loopback address: clients that are not on this machine send the API key across the network in clear.\n`,
  );
}

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8, 'ipv4');
  loopback.addAddress('::1', 'ipv6');
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (): void => {
      signals += 1;
      if (signals > 1) process.exit(EXIT.failed);
      resolve();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  });
}

function passwordsOf({ upstreams }: ResolvedOptions): readonly string[] {
  return upstreams.flatMap((upstream) => {
    const url = typeof upstream === 'string' ? upstream : upstream.url;
    const password = /^[a-z0-9]+:\/\/[^:@]*:(.*)@/is.exec(url)?.[1];
    return password === undefined ? [] : [password, decodeURIComponent(password)];
  });
}
