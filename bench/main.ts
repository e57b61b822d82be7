// Entry of `npm run bench`.

import { runCommand } from './compare/command.js';

// What was started ends with this process, if this process ends in order.
const EXIT_OF_SIGNAL = 130;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(EXIT_OF_SIGNAL));

process.exitCode = await runCommand(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
