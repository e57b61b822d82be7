// This project's gateway, as built, in a process that can be asked.

import { answerParent } from '../../shared/parent.js';
import { profileUntilExit, startProfile } from './profile.js';

let stopProfile;

answerParent({
  async listen({ entry, options }) {
    const { Gateway } = await import(entry);
    const gateway = new Gateway(options);
    await gateway.listen();
    return { port: Number(new URL(gateway.url).port) };
  },

  profileUntilExit: ({ directory }) => profileUntilExit(directory),

  async startProfile() {
    stopProfile = await startProfile();
  },

  /** @returns what part of the time was spent in or below functions of these files */
  stopProfile: ({ files }) => stopProfile(files),

  /** Needs `--expose-gc`. */
  residentBytes() {
    globalThis.gc();
    globalThis.gc();
    return process.memoryUsage.rss();
  },
});
