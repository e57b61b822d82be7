// How a child of the measurement answers its parent. The children are plain JavaScript that Node runs as it is, so that no
// loader is part of what is measured.

/**
 * Answers what the parent asks, and ends this process with the parent's.
 *
 * @param handlers functions by the name of the question; what they throw goes to the parent as text
 */
export function answerParent(handlers) {
  process.on('message', (asked) => void answer(handlers, asked));
  process.once('disconnect', () => process.exit());
}

async function answer(handlers, { id, question, given }) {
  try {
    process.send({ id, answer: await handlers[question](given) });
  } catch (error) {
    process.send({ id, failure: error instanceof Error ? error.stack : String(error) });
  }
}

/** CPU time of this process so far, its threads and the system's work for it included, in microseconds. */
export function cpuMicros() {
  const { user, system } = process.cpuUsage();
  return user + system;
}
