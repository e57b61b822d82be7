// Brings flags, environment and file together: flags beat environment beats file, and the gateway's schema fills in
// the rest. Every refusal names the place its value came from.

import { ConfigurationError } from '../gateway/option-faults.js';
import type { OptionPath } from '../gateway/option-faults.js';
import { assertGatewayOptions, resolveOptions } from '../gateway/options.js';
import type { GatewayOptions } from '../gateway/gateway-options.js';
import type { ResolvedOptions } from '../gateway/options.js';
import { readConfigFile } from './config-file.js';
import { CliFailure, EXIT } from './failure.js';
import { OPTION_SOURCES } from './option-sources.js';
import type { OptionSource } from './option-sources.js';

/** What a command was given. */
export interface CommandInput {
  /** By the name commander gives them: `apiKey` for `--api-key`. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

/** A configuration, as the gateway takes it and as it works with it. */
export interface Configuration {
  readonly options: GatewayOptions;
  readonly resolved: ResolvedOptions;
}

interface GivenValue {
  readonly path: OptionSource['path'];
  readonly value: unknown;
  readonly origin: string;
}

/**
 * Loads the configuration that `serve` runs with.
 *
 * @throws CliFailure with exit code 2 and every fault there is
 */
export async function loadConfiguration(input: CommandInput): Promise<Configuration> {
  return load(input, {});
}

/**
 * Loads the same for a command that only looks for the gateway: an upstream may be missing.
 *
 * @throws CliFailure as `loadConfiguration`
 */
export async function loadConfigurationOfClient(input: CommandInput): Promise<Configuration> {
  return load(input, { upstreams: ['direct://'] });
}

async function load(input: CommandInput, fallback: GatewayOptions): Promise<Configuration> {
  const { flags, environment, workingDirectory } = input;
  const named = flags['config'] ?? (environment['SESSION_PROXY_CONFIG'] || undefined);
  const file = await readConfigFile(typeof named === 'string' ? named : undefined, workingDirectory);
  const given = OPTION_SOURCES.flatMap((source) => givenBy(source, input) ?? []);
  const content = file?.content ?? {};
  const options = isRecord(content) ? given.reduce(withValue, { ...fallback, ...content }) : content;
  const originOf = (path: OptionPath): string | undefined =>
    given.find(({ path: [section, member] }) => path[0] === section && (member === undefined || path[1] === member))
      ?.origin ?? (isFrom(content, path) ? file?.name : undefined);
  try {
    assertGatewayOptions(options, originOf);
    return { options, resolved: resolveOptions(options) };
  } catch (error) {
    if (error instanceof ConfigurationError) throw new CliFailure(EXIT.badArguments, error.message, error);
    throw error;
  }
}

function givenBy(source: OptionSource, { flags, environment }: CommandInput): GivenValue | undefined {
  const { path, flag, isList, separator = ',' } = source;
  const fromFlag = flags[flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
  if (fromFlag !== undefined) return { path, value: fromFlag, origin: flag };
  // An empty variable is an unset one: that is what compose files make of a variable nobody set.
  const variable = source.environment === undefined ? undefined : environment[source.environment]?.trim();
  if (source.environment === undefined || variable === undefined || variable === '') return undefined;
  const value =
    isList === true
      ? variable.split(separator).flatMap((part) => part.replace(/^[\s,]+|[\s,]+$/g, '') || [])
      : variable;
  return { path, value, origin: source.environment };
}

function withValue(options: Readonly<Record<string, unknown>>, { path, value }: GivenValue): Record<string, unknown> {
  const [section, member] = path;
  if (member === undefined) return { ...options, [section]: value };
  const members = options[section] ?? {};
  // A section that is no map is left for the schema to refuse.
  return isRecord(members) ? { ...options, [section]: { ...members, [member]: value } } : { ...options };
}

function isFrom(content: unknown, [section]: OptionPath): boolean {
  return section === undefined || (isRecord(content) && Object.hasOwn(content, section));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
