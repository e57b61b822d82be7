// How a command ends when it can't do what it was to do.

/** Exit codes of the binary. */
export const EXIT = { done: 0, failed: 1, badArguments: 2 } as const;

/** An expected failure: its message is all the user is shown. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

/** Tells the `code` of an error of Node's, or of the one that caused it. */
export function systemCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)) return error.code;
  return systemCodeOf(error.cause);
}
