// What a client speaks inside a tunnel, by the first byte it sends.

import type { Socket } from 'node:net';

/** How long a client has to begin. Ours: clients of protocols in which the server speaks first wait for ever. */
export const SNIFF_MS = 3000;

/** `gone`: the connection was closed before anything came. */
export type Speech = 'tls' | 'http' | 'other' | 'silence' | 'gone';

/** First byte of a TLS handshake record (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16;

/** Methods are tokens, and all there are begin with a capital letter. */
const CAPITAL_LETTERS = { from: 0x41, to: 0x5a };

/** Waits for the first byte, and puts it back. Nothing else listens to the connection meanwhile. */
export function sniff(socket: Socket): Promise<Speech> {
  return new Promise((resolve) => {
    const finish = (speech: Speech): void => {
      clearTimeout(timer);
      socket.off('readable', onReadable).off('end', onGone).off('close', onGone);
      resolve(speech);
    };
    const onGone = (): void => finish('gone');
    const onReadable = (): void => {
      const first = socket.read(1) as Buffer | null;
      if (first === null) return;
      socket.unshift(first);
      finish(speechOf(first[0] as number));
    };
    const timer = setTimeout(() => finish('silence'), SNIFF_MS);
    socket.on('readable', onReadable).once('end', onGone).once('close', onGone);
  });
}

function speechOf(first: number): Speech {
  if (first === TLS_HANDSHAKE) return 'tls';
  return first >= CAPITAL_LETTERS.from && first <= CAPITAL_LETTERS.to ? 'http' : 'other';
}
