// Where a list of upstreams is kept, in a file or behind a URL, and when it is read again. What the list means, and what
// becomes of the upstreams, is not known here.

import { isWebUrl, watchUrl } from './upstream-source-url.js';
import { watchFile } from './upstream-source-file.js';
import { readUpstreamList, UpstreamListError } from './upstream-list.js';
import { redactUpstreamUrl } from './redact-url.js';

/** Text that may change, being watched. `close` ends that. */
export interface WatchedText {
  /** @throws UpstreamListError where it can't be read */
  read(): Promise<string>;
  /** Calls `onText` with each text that differs from the one before, and `onFault` where it can't be read. */
  watch(listener: TextListener): void;
  close(): void;
}

/** Takes what is read. */
export interface TextListener {
  readonly onText: (text: string) => void;
  readonly onFault: (fault: UpstreamListError) => void;
}

/** How often is looked, in milliseconds. */
export interface SourceTimes {
  /** Between two looks at a file, for file systems that tell of no change. @default 5_000 */
  readonly lookEveryMs?: number | undefined;
  /** For which a file must not change before it is read. @default 100 */
  readonly settleMs?: number | undefined;
  /** Between two requests for a URL. @default 60_000 */
  readonly askEveryMs?: number | undefined;
  /** How long the answer of a URL may take, its body included. @default 15_000 */
  readonly answerWithinMs?: number | undefined;
}

/** Takes the lists of a source; a fault leaves the list before it in force. */
export interface ListListener {
  readonly onList: (urls: readonly string[]) => void;
  readonly onFault: (fault: UpstreamListError) => void;
}

/** A list of upstreams that is watched. */
export interface UpstreamSource {
  /** What the list is called in messages: without credentials. */
  readonly name: string;
  /** @throws UpstreamListError where it can't be read, or a line is no upstream; an empty list is one */
  read(): Promise<readonly string[]>;
  /** Watches from now on. A list that is empty is a fault: whoever wants no upstream stops the gateway. */
  watch(listener: ListListener): void;
  close(): void;
}

/** Whether a text may say where a list is: a URL of another kind would be taken for a file that is not there. */
export function isListLocation(location: string): boolean {
  return isWebUrl(location) ? URL.canParse(location) : !/^[a-z][a-z0-9+.-]*:\/\//i.test(location);
}

/**
 * Makes the source of a list.
 *
 * @param location path of a file, or an `http://` or `https://` URL, which is asked directly and not through an upstream
 */
export function createUpstreamSource(location: string, times: SourceTimes = {}): UpstreamSource {
  const name = isWebUrl(location) ? redactUpstreamUrl(location) : location;
  const watched = isWebUrl(location) ? watchUrl(location, name, times) : watchFile(location, name, times);
  return {
    name,
    read: async () => readUpstreamList(await watched.read(), name),
    watch: (listener) => watched.watch(listening(name, listener)),
    close: () => watched.close(),
  };
}

/** Tells a fault once, however often it is met. */
function listening(name: string, { onList, onFault }: ListListener): TextListener {
  let told: string | undefined;
  const tell = (fault: UpstreamListError): void => {
    if (told === fault.message) return;
    told = fault.message;
    onFault(fault);
  };
  const onText = (text: string): void => {
    try {
      const urls = readUpstreamList(text, name);
      if (urls.length === 0)
        throw new UpstreamListError(`${name} holds no upstream; the list before it stays in force`);
      told = undefined;
      onList(urls);
    } catch (error) {
      if (!(error instanceof UpstreamListError)) throw error;
      tell(error);
    }
  };
  return { onText, onFault: tell };
}
