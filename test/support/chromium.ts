// Chromium for tests and checks: Debian's, as root, without calls to its maker, whose servers no test may reach.

/** Where it is. */
export const CHROMIUM_PATH = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

/** Keeps it quiet; root has no sandbox. */
export const QUIET_ARGUMENTS: readonly string[] = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Has it take the self-signed certificates of targets. */
export const ANY_CERTIFICATE = '--ignore-certificate-errors';
