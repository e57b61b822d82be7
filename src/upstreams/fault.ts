// What an outcome says of the upstream it came through: that it serves, that it failed, or nothing. How many failures
// are too many is not decided here.

import { WEIGHT } from '../sessions/breaker.js';
import { GatewayError } from '../sessions/errors.js';
import type { Blame, ErrorCode } from '../sessions/errors.js';

/** A failure that counts against an upstream. */
export interface Fault {
  readonly weight: number;
  /** Whether it may as well be the target's. */
  readonly isDoubt: boolean;
  /** Set: of several with one name in a row, the first counts. */
  readonly once: string | undefined;
}

/** What failed. */
export interface Failure {
  readonly error: unknown;
  /** Name or address of the target. */
  readonly host: string;
  /** The exit it was to leave through, of an upstream that has several. */
  readonly exit: string | undefined;
}

/** What has to be known besides. */
export interface FaultSetting {
  /** Whether the upstream is an address of this machine, which is innocent of all but not being there. */
  readonly isOwnAddress: boolean;
  /** Whether the gateway itself asks for something at that host, through all upstreams. */
  readonly isAsked: (host: string) => boolean;
}

/** Per fault of the upstream: what it weighs, and whether it may be that of one exit alone. */
const FAULTS: Readonly<Record<Exclude<Blame, 'target'>, { readonly weight: number; readonly isOfExit: boolean }>> = {
  refused: { weight: WEIGHT.hard, isOfExit: false },
  unreached: { weight: WEIGHT.soft, isOfExit: false },
  // Vendors answer 407 for a sticky session, too, that they don't know or have no peer for.
  credentials: { weight: WEIGHT.hard, isOfExit: true },
  failed: { weight: WEIGHT.soft, isOfExit: true },
};

/** What a target does, or an upstream that doesn't get through to it: nothing comes, or what comes is no answer. */
const DOUBTFUL: ReadonlySet<ErrorCode> = new Set(['timeout', 'econnreset', 'socket_closed_remotely', 'send_failed']);

/** What can only be met by getting as far as the target, or its name. */
const BEYOND: ReadonlySet<ErrorCode> = new Set(['econnrefused', 'ehostunreach', 'nxdomain', 'bad_cert']);

/**
 * Reads a failure.
 *
 * Ours: where target and upstream look the same, as when an answer doesn't come in time, each target counts once until
 * the next success. So one target that hangs takes no upstream down, and an upstream through which nothing comes from
 * five targets goes down. Of one line with many exits, each exit counts once likewise; only that the line itself can't
 * be reached counts whichever exit was meant.
 *
 * What the gateway itself asks for (probes, outgoing IPs) is one target for all upstreams, so there a proxy that leaves
 * CONNECT without an answer is in doubt only, too: the proxy may wait for it, and its owner would lose all upstreams with it.
 *
 * @returns `alive`: the upstream did its part. `nothing`: the client gave up, or was refused by the gateway itself
 */
export function readFault({ error, host, exit }: Failure, setting: FaultSetting): Fault | 'alive' | 'nothing' {
  if (!(error instanceof GatewayError)) return 'nothing';
  const { blame, code } = error;
  if (blame === 'target') return 'alive';
  const isInDoubt = blame === undefined || (blame === 'failed' && code === 'timeout' && setting.isAsked(host));
  if (!isInDoubt) {
    const { weight, isOfExit } = FAULTS[blame];
    return { weight, isDoubt: false, once: isOfExit && exit !== undefined ? `exit ${exit}` : undefined };
  }
  if (BEYOND.has(code)) return 'alive';
  if (!DOUBTFUL.has(code)) return 'nothing';
  return setting.isOwnAddress ? 'alive' : { weight: WEIGHT.soft, isDoubt: true, once: `target ${host}` };
}
