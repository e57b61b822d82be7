// Watches a file for changes: through the system where that tells of them, and by a slow look at it where it does not. A
// file that is still being written is left alone until it has its size.

import { type FSWatcher, watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { UpstreamListError } from './upstream-list.js';
import type { SourceTimes, TextListener, WatchedText } from './upstream-source.js';

/** Makes the watch of a file. @param name what it is called in messages */
export function watchFile(file: string, name: string, times: SourceTimes): WatchedText {
  return new FileWatch(path.resolve(file), name, times);
}

class FileWatch implements WatchedText {
  readonly #file: string;
  readonly #name: string;
  readonly #lookEveryMs: number;
  readonly #settleMs: number;
  #listener: TextListener | undefined;
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #text: string | undefined;
  /** What the file looked like when it was read. */
  #seen: string | undefined;

  constructor(file: string, name: string, { lookEveryMs = 5_000, settleMs = 100 }: SourceTimes) {
    this.#file = file;
    this.#name = name;
    this.#lookEveryMs = lookEveryMs;
    this.#settleMs = settleMs;
  }

  async read(): Promise<string> {
    try {
      this.#seen = await this.#look();
      this.#text = await readFile(this.#file, 'utf8');
      return this.#text;
    } catch (error) {
      throw new UpstreamListError(`${this.#name} could not be read: ${reasonOf(error)}`, { cause: error });
    }
  }

  watch(listener: TextListener): void {
    this.#listener = listener;
    this.#looking = setInterval(() => void this.#lookAgain(), this.#lookEveryMs);
    this.#looking.unref();
    this.#watchDirectory();
  }

  close(): void {
    this.#listener = undefined;
    this.#watcher?.close();
    clearTimeout(this.#settling);
    clearInterval(this.#looking);
  }

  /**
   * The directory, because an editor puts another file in the place of the old one. Whatever changes in it is a reason to
   * look: the name may be a link to what has changed.
   */
  #watchDirectory(): void {
    try {
      this.#watcher = watch(path.dirname(this.#file), { persistent: false }, () => void this.#lookAgain());
      // There may be too few watches on this machine, or the directory is gone: the slow look goes on.
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // The same, said at once.
      this.#watcher = undefined;
    }
  }

  async #lookAgain(): Promise<void> {
    if (this.#settling !== undefined) return;
    const looks = await this.#look().catch(reasonOf);
    if (this.#settling === undefined && looks !== this.#seen) this.#settle(looks);
  }

  #settle(looked: string): void {
    if (this.#listener === undefined) return;
    this.#settling = setTimeout(() => void this.#readSettled(looked), this.#settleMs);
    this.#settling.unref();
  }

  async #readSettled(looked: string): Promise<void> {
    const looks = await this.#look().catch(reasonOf);
    if (looks !== looked) return this.#settle(looks);
    const before = this.#text;
    const text = await this.read().catch((error: unknown) => error);
    this.#settling = undefined;
    if (typeof text !== 'string') {
      // Remembered as it looks, so that it is told once and read again when it looks better.
      this.#seen = looks;
      if (text instanceof UpstreamListError) this.#listener?.onFault(text);
    } else if (text !== before) this.#listener?.onText(text);
    return undefined;
  }

  async #look(): Promise<string> {
    const { ino, size, mtimeMs } = await stat(this.#file);
    return `${ino} ${size} ${mtimeMs}`;
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ENOENT' ? 'there is no such file' : code;
}
