// Checks the upstreams of the configuration, or asks a running gateway how its own are; shows a table, or JSON.

import { isIP } from 'node:net';

import { SessionsClient, type UpstreamResource } from '../client/index.js';
import { checkUpstreams, type UpstreamReport, upstreamsToCheck } from '../gateway/check.js';
import { ConfigurationError } from '../gateway/option-faults.js';
import { print } from './command-input.js';
import { type CommandInput, loadConfiguration } from './configuration.js';
import { CliFailure, EXIT } from './failure.js';
import { flagsFor } from './option-sources.js';
import { formatDuration, formatTable } from './table.js';

/** A line of the table, and what `--json` prints. */
interface CheckLine {
  readonly upstream: string;
  /** Of the configuration only. */
  readonly kind?: string | undefined;
  readonly state: string;
  /** Of the configuration only. */
  readonly tookMs?: number | undefined;
  readonly outgoingIp: string | null;
  readonly remark: string;
}

const FAULTY: ReadonlySet<string> = new Set(['faulty', 'down', 'trial']);

/**
 * Runs the command.
 *
 * @throws CliFailure with exit code 2 for a configuration that is refused, with 1 where an upstream is faulty
 */
export async function check(input: CommandInput, isJson: boolean): Promise<void> {
  const gateway = gatewayUrl(input);
  const lines = gateway === undefined ? await checkConfigured(input) : await askGateway(gateway);
  print(isJson ? JSON.stringify(lines, undefined, 2) : tableOf(lines));
  // One that was down and has not served since may be down still.
  const faulty = lines.filter(({ state }) => FAULTY.has(state)).length;
  if (faulty === 0) return;
  throw new CliFailure(EXIT.failed, `${faulty} of ${lines.length} upstreams ${faulty === 1 ? 'does' : 'do'} not work`);
}

async function checkConfigured(input: CommandInput): Promise<readonly CheckLine[]> {
  const { resolved } = await loadConfiguration(input);
  const specs = await upstreamsToCheck(resolved).catch((error: unknown) => {
    if (error instanceof ConfigurationError) throw new CliFailure(EXIT.badArguments, error.message, error);
    throw error;
  });
  const reports = await checkUpstreams({ specs, options: resolved, onProgress: showProgress });
  return reports.map(lineOf);
}

function lineOf({ upstream, kind, isOk, tookMs, outgoingIp, remark }: UpstreamReport): CheckLine {
  return { upstream, kind, state: isOk ? 'ok' : 'faulty', tookMs, outgoingIp: outgoingIp ?? null, remark };
}

async function askGateway({ url, origin }: GivenUrl): Promise<readonly CheckLine[]> {
  const { upstreams } = await openClient(url, origin).upstreams();
  return upstreams.map(lineOfResource);
}

function lineOfResource({ name, outgoingIp, health }: UpstreamResource): CheckLine {
  const { state, message, retryAfterMs } = health ?? UNTOLD;
  const again = retryAfterMs > 0 ? `tried again in ${formatDuration(retryAfterMs)}` : undefined;
  const remark = [message ?? undefined, again].filter((part) => part !== undefined).join('; ');
  return { upstream: name, state, outgoingIp: isIP(outgoingIp) === 0 ? null : outgoingIp, remark };
}

/** Of a gateway of an earlier version. */
const UNTOLD = { state: 'unknown', message: 'this gateway does not tell', retryAfterMs: 0 } as const;

function openClient(url: string, origin: string): SessionsClient {
  try {
    return new SessionsClient(url);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CliFailure(EXIT.badArguments, `${origin}: ${error.message}`, error);
  }
}

interface GivenUrl {
  readonly url: string;
  readonly origin: string;
}

/** The gateway to ask: that of the flag, or of the variable where no flag is about the configuration. */
function gatewayUrl({ flags, environment }: CommandInput): GivenUrl | undefined {
  const others = flagsFor().flatMap((flag) => (flags[flag.attributeName()] === undefined ? [] : [String(flag.long)]));
  const url = flags['url'];
  if (typeof url === 'string') {
    if (others.length === 0) return { url, origin: '--url' };
    const told = `--url names the gateway to ask, so no configuration is read: leave out ${others.join(', ')}, or --url`;
    throw new CliFailure(EXIT.badArguments, told);
  }
  const variable = environment['SESSION_PROXY_URL'];
  // An empty variable is an unset one, as in the configuration.
  return others.length > 0 || !variable ? undefined : { url: variable, origin: 'SESSION_PROXY_URL' };
}

function tableOf(lines: readonly CheckLine[]): string {
  const isConfigured = lines.some(({ kind }) => kind !== undefined);
  const headings = ['UPSTREAM', ...(isConfigured ? ['KIND'] : []), 'STATE', ...(isConfigured ? ['TIME'] : [])];
  const rows = lines.map(({ upstream, kind, state, tookMs, outgoingIp, remark }) => [
    upstream,
    ...(isConfigured ? [kind ?? '-'] : []),
    state,
    ...(isConfigured ? [`${tookMs ?? 0} ms`] : []),
    outgoingIp ?? '-',
    remark,
  ]);
  return formatTable([...headings, 'OUTGOING IP', 'REMARK'], rows);
}

/** On a terminal only: one line that is written over, and cleared at the end. */
function showProgress(done: number, all: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(done === all ? '\r\u001B[K' : `\rchecked ${done} of ${all}`);
}
