// The TCP connections of this process, for tests that look at what is left.

/** How many there are, of all its servers and clients. */
export function connections(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}
