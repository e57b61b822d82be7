// `session-proxy ca`: prints or writes the certificate of the CA, that of a running gateway or of `serve` here. Its key
// is never read from another gateway and never shown.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { type Command, Option } from 'commander';

import { inputOf, print } from './command-input.js';
import type { CommandInput } from './configuration.js';
import { CliFailure, EXIT, systemCodeOf } from './failure.js';
import { flagsFor } from './option-sources.js';

/** The options that tell where the CA of `serve` lies. */
const PLACES = ['ca.cert', 'ca.key', 'dataDir'];

const TIMEOUT_MS = 10_000;

/** The route asks for no API key, so the one in a URL stays here. */
const NO_KEY = 'none';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Adds the command to the program. */
export function addCaCommand(program: Command): void {
  const command = program
    .command('ca')
    .description('print or write the CA certificate that clients of interception trust; makes the CA if there is none')
    .option('--out <FILE>', 'write it there')
    .addOption(
      new Option(
        '--url <URL>',
        'gateway to fetch it from, as http://host:port (default: the CA of `serve` here) [SESSION_PROXY_URL]',
      ),
    );
  for (const flag of flagsFor(PLACES)) command.addOption(flag);
  command.action(async () => {
    const input = inputOf(command);
    const url = givenUrl(input);
    const pem = (url === undefined ? await openOwn(input) : await fetchFrom(url)).trimEnd();
    const out = input.flags['out'];
    if (typeof out !== 'string') return print(pem);
    await write(path.resolve(input.workingDirectory, out), pem);
  });
}

/** The origin of the gateway that is meant: by the flag, or by the variable where no flag leads to a CA here. */
function givenUrl({ flags, environment }: CommandInput): string | undefined {
  const others = flagsFor(PLACES).flatMap((flag) =>
    flags[flag.attributeName()] === undefined ? [] : [String(flag.long)],
  );
  const flag = flags['url'];
  if (typeof flag === 'string') {
    if (others.length === 0) return originOf(flag, '--url');
    const told = `--url names the gateway to ask, so the CA here is not looked for: leave out ${others.join(', ')}, or --url`;
    throw new CliFailure(EXIT.badArguments, told);
  }
  const variable = environment['SESSION_PROXY_URL'];
  // An empty variable is an unset one, as in the configuration.
  return others.length > 0 || !variable ? undefined : originOf(variable, 'SESSION_PROXY_URL');
}

/** The URL itself is not repeated, for it may hold an API key. */
function originOf(text: string, from: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol)) return url.origin;
  throw new CliFailure(EXIT.badArguments, `${from}: This is not the URL of a gateway: write http://host:port`);
}

async function fetchFrom(url: string): Promise<string> {
  const { callGateway, unexpectedAnswer } = await import('../client/gateway-call.js');
  const call = { method: 'GET', path: '/ca.crt' } as const;
  const { status, text } = await callGateway({ url, apiKey: NO_KEY }, call, TIMEOUT_MS);
  const certificates = text.match(CERTIFICATE);
  if (certificates === null) throw unexpectedAnswer(url, call, status);
  return certificates.join('\n');
}

async function openOwn(input: CommandInput): Promise<string> {
  const [{ loadConfigurationOfClient }, { openCertificateAuthority }, { ConfigurationError }] = await Promise.all([
    import('./configuration.js'),
    import('../gateway/certificates/certificate-authority.js'),
    import('../gateway/option-faults.js'),
  ]);
  const { ca, dataDir } = (await loadConfigurationOfClient(input)).resolved;
  try {
    return (await openCertificateAuthority({ dataDir, ...ca })).certificatePem;
  } catch (error) {
    if (error instanceof ConfigurationError) throw new CliFailure(EXIT.badArguments, error.message, error);
    throw error;
  }
}

async function write(file: string, pem: string): Promise<void> {
  const there = await readFile(file, 'utf8').catch(() => '');
  if (there.includes('PRIVATE KEY')) {
    throw new CliFailure(
      EXIT.badArguments,
      `--out: ${file} holds a private key, which is not written over; give another file`,
    );
  }
  try {
    await writeFile(file, `${pem}\n`);
  } catch (error) {
    const why = systemCodeOf(error) ?? String(error);
    throw new CliFailure(EXIT.failed, `The CA certificate could not be written to ${file}: ${why}`, error);
  }
  print(`The CA certificate is in ${file}.`);
}
