// The log: a subscriber that turns events into lines of pino. Takes nothing from the gateway but its events, and can
// be left out without a difference to any decision.

import { createRequire } from 'node:module';
import { isatty } from 'node:tty';

import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import type { default as Pretty } from 'pino-pretty';

import type { EventSink, GatewayEvent, UseSettled } from './events.js';
import type { LogFormat, LogLevel } from './gateway-options.js';

/** What is logged and how. */
export interface LogSinkOptions {
  readonly level: LogLevel;
  /** Lines for people or for programs; undefined: for people where standard error is a terminal. */
  readonly format: LogFormat | undefined;
  /** Texts that no line may hold, such as keys and passwords; those under 8 characters are not looked for. */
  readonly secrets?: readonly string[] | undefined;
}

const STANDARD_ERROR = 2;

/**
 * Makes a sink that writes one line for each event, those of a use at level `info`.
 *
 * @param destination takes whole lines; standard error by default, written to at once
 */
export function createLogSink(options: LogSinkOptions, destination?: DestinationStream): EventSink {
  const { level, format = isatty(STANDARD_ERROR) ? 'pretty' : 'json', secrets = [] } = options;
  const output = destination ?? pino.destination({ fd: STANDARD_ERROR, sync: true });
  const isTerminal = destination === undefined && isatty(STANDARD_ERROR);
  const lines = format === 'json' ? output : prettyLines(output, isTerminal);
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    withoutSecrets(lines, secrets),
  );
  return (event) => logEvent(log, event);
}

/** Made line by line, in this process: a stream or worker could lose the last ones. */
function prettyLines(output: DestinationStream, isTerminal: boolean): DestinationStream {
  // Loaded here, for its start costs more than all other parts of the log.
  const pretty = createRequire(import.meta.url)('pino-pretty') as typeof Pretty;
  const colorize = isTerminal && pretty.isColorSupported;
  // The message says it all; the fields behind it would make each line a dozen.
  const format = pretty.prettyFactory({ colorize, hideObject: true });
  return { write: (line) => output.write(format(line) ?? line) };
}

function logEvent(log: Logger, event: GatewayEvent): void {
  switch (event.type) {
    case 'use.settled':
      return logUse(log, event);
    case 'use.started':
      return log.trace(event, 'use started');
    case 'certificate.refused':
      return log.warn(event, event.message);
    case 'gateway.listening':
      return log.info(event, `listening on ${event.url}`);
    case 'gateway.closing':
      return log.info(event, `closing, ${event.held} held`);
    case 'session.created':
      return log.debug(event, `session ${event.sessionId} created on ${event.outgoingIp}`);
    case 'session.ended':
      return log.debug(event, `session ${event.sessionId} ${event.reason}`);
    case 'upstream.down':
      return log.warn(event, `upstream ${event.upstream} is down: ${event.message}`);
    case 'upstream.up':
      return log.info(event, `upstream ${event.upstream} is up again`);
    case 'upstream.ip-learned':
      return log.debug(event, `upstream ${routeOf(event)} leaves from ${event.outgoingIp}`);
    case 'upstream.ip-unknown':
      return log.warn(event, `the outgoing IP of upstream ${routeOf(event)} could not be asked for: ${event.message}`);
    case 'session.moved':
      return log.info(
        event,
        `session ${event.sessionId} moved from ${event.from} to ${event.to}: its upstream is ${event.why}`,
      );
    case 'session.ip-changed':
      return log.warn(event, `the outgoing IP of session ${event.sessionId} changed from ${event.from} to ${event.to}`);
    case 'upstreams.refused':
      return log.warn(event, `the upstreams stay as they were: ${event.message}`);
    case 'upstreams.changed':
      return log.info(event, `the upstreams changed: ${event.added.length} added, ${event.removed.length} removed`);
    case 'request.rejected':
      return log.warn(event, `rejected a request of ${event.remote}: ${event.message}`);
    case 'gateway.failure': {
      const { error, ...rest } = event;
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return log.error({ ...rest, err: error }, `failure during ${event.during}: ${why}`);
    }
  }
}

function routeOf({ upstream, exit }: { readonly upstream: string; readonly exit: string | undefined }): string {
  return exit === undefined ? upstream : `${upstream}/${exit}`;
}

function logUse(log: Logger, { sessionId, ...rest }: UseSettled): void {
  const { method, target, outgoingIp, waitMs, tookMs, bytesOut, bytesIn } = rest;
  const told = [
    `${method} ${target} ${rest.error ?? rest.status ?? 'the client left'}`,
    sessionId === undefined ? 'no session' : `session ${sessionId}`,
    outgoingIp === undefined ? 'not sent' : `by ${outgoingIp}`,
    `waited ${waitMs} ms, took ${tookMs} ms, ${bytesOut} B out, ${bytesIn} B in`,
  ];
  log.info({ session: sessionId, ...rest }, told.join(', '));
}

/** Events hold no secrets, but the errors of others may quote a URL of ours; so each line is looked through. */
function withoutSecrets(lines: DestinationStream, secrets: readonly string[]): DestinationStream {
  // Shorter ones would be found where they mean nothing, and what is left of the line were no JSON.
  const written = secrets.filter((secret) => secret.length >= 8).map((secret) => JSON.stringify(secret).slice(1, -1));
  return {
    write(line) {
      const clean = line.replaceAll(/:\/\/[^/@\s"]*@/g, '://***@');
      lines.write(written.reduce((text, secret) => text.replaceAll(secret, '***'), clean));
    },
  };
}
