// What a check is, and how it ends. A check holds one sentence of the protocol; which evidence the sentence has decides
// what a failure means.
//
// Evidence: D the vendor documents it; C a client in use relies on it; W it was seen on the wire. These are reported as
// *documented*: whoever breaks one breaks the document or a client. S is one reader's account of a page, I is inferred:
// the documents are silent, and servers may differ. These are reported as *inferred* and never fail the command.

import type { Answer } from './wire/read-answer.js';
import type { World } from './world.js';

export type Evidence = 'D' | 'C' | 'W' | 'S' | 'I';
export type EvidenceClass = 'documented' | 'inferred';

/** What must be there before a check can tell anything; `needs.ts` finds out. */
export type Need =
  | 'target'
  | 'sites'
  | 'https-target'
  | 'interception'
  | 'two-ips'
  | 'delay'
  | 'other-key'
  | 'max-sessions'
  | 'max-connections'
  | 'forbidden-host';

/** One given/when/then. */
export interface Check {
  /** Topic, a dot, a name. */
  readonly id: string;
  /** The sentence it holds. */
  readonly holds: string;
  /** Where that sentence stands: a page of docs.zyte.com/smart-proxy-manager, a client, and the section of the reference. */
  readonly source: string;
  readonly evidence: Evidence;
  readonly given: string;
  readonly when: string;
  /** What follows then. */
  readonly expected: string;
  readonly needs?: readonly Need[];
  /** How long it waits at least, in milliseconds, for a server with these delays; long ones are run on demand. */
  readonly takesMs?: (delays: Delays) => number;
  /** @throws CheckFailure for an answer that breaks the sentence, CheckSkip where nothing can be told */
  readonly run: (world: World) => Promise<void>;
}

/** The server's settings, as the user tells them. */
export interface Delays {
  /** Gap between two uses of one outgoing IP. */
  readonly delayMs: number;
  /** From this delay on, answers tell it. */
  readonly softMs: number;
  /** The longest a request is held. */
  readonly holdMs: number;
  /** From this delay on, requests are refused. */
  readonly hardMs: number;
}

/** The server broke the sentence. `answer` is shown beside the message. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';

  constructor(message: string, answer?: Answer) {
    super(answer === undefined ? message : `${message} (${describe(answer)})`);
  }
}

/** Nothing can be told here; the message is the reason. */
export class CheckSkip extends Error {
  override readonly name = 'CheckSkip';
}

/** Whether a failure breaks a document or a client, or only what we infer. */
export function classOf(evidence: Evidence): EvidenceClass {
  return evidence === 'S' || evidence === 'I' ? 'inferred' : 'documented';
}

function describe({ status, reason, rawHeaders, body }: Answer): string {
  const told = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && /^(?:x-crawlera|retry-after)/i.test(name) ? [`${name}: ${rawHeaders[index + 1]}`] : [],
  );
  return [`${status} ${reason}`, ...told, body.slice(0, 160).trim()].filter((part) => part !== '').join('; ');
}
