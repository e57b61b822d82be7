// Keeps the memory of large bodies in the process between one and the next.

/** Twice as much is kept. The most that glibc learns from; nothing of it is taken before it is needed. */
const LARGEST_BYTES = 31 * 1024 * 1024;

let isKept = false;

/**
 * Has the C library keep what is freed. Without it glibc gives pieces of a body back to the system as they are freed and
 * takes new ones for the next body, each page of which is a fault: bodies of 1 MiB cost twice as much. It
 * learns from the largest block it has seen freed (mallopt(3), M_MMAP_THRESHOLD), so it is shown one. Other libraries
 * don't mind.
 */
export function keepFreedMemory(): void {
  if (isKept) return;
  isKept = true;
  // Freed when it is collected, which is with the first garbage there is.
  Buffer.allocUnsafeSlow(LARGEST_BYTES);
}
