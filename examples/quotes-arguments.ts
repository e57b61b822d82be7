// The command line of the quotes examples: where the pages are and which gateway leads there.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** What was asked for; undefined is what the example brings itself. */
export interface QuotesArguments {
  /** First page of a quotes site. */
  readonly url: string | undefined;
  /** A running gateway, with the API key. */
  readonly proxyUrl: string | undefined;
  readonly transport: 'credentials' | 'headers';
}

const EXAMPLES = {
  url: 'http://quotes.toscrape.com/',
  'proxy-url': 'http://KEY:@127.0.0.1:8011',
  transport: 'credentials|headers',
} as const;

/** Reads the command line; for `--help` ends the process with 0, on a mistake says what it was and ends it with 2. */
export function readArguments(names: readonly (keyof typeof EXAMPLES)[]): QuotesArguments {
  const usage = `Options: ${names.map((name) => `--${name} ${EXAMPLES[name]}`).join(', ')}`;
  if (process.argv.slice(2).some((argument) => ['--help', '-h'].includes(argument))) {
    console.log(`${usage}\nWithout them: the quotes site beside this example, and a gateway in this process.`);
    return process.exit(0);
  }
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }] as const));
    const { url, 'proxy-url': proxyUrl, transport = 'credentials' } = parseArgs({ options }).values;
    if (transport !== 'credentials' && transport !== 'headers') {
      throw new Error(`--transport takes credentials or headers, not ${transport}`);
    }
    if (url !== undefined && readHttpUrl(url) === undefined) throw new Error(`--url takes an http URL, not ${url}`);
    if (proxyUrl !== undefined && !readHttpUrl(proxyUrl)?.username) {
      throw new Error('--proxy-url takes the address of a gateway with its API key');
    }
    return { url, proxyUrl, transport };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return process.exit(2);
  }
}

/** Says on one line why a crawl came to nothing; the process will end with 1. */
export function reportFailure(error: unknown): void {
  const told = error instanceof Error ? error.message : String(error);
  console.error(told.replaceAll(/\s+/g, ' ').trim());
  process.exitCode = 1;
}

/** Ways out for a gateway of the example's own: other loopback addresses for the site beside it, where Linux has them. */
export function chooseUpstreams({ url }: QuotesArguments): string[] {
  return url === undefined && process.platform === 'linux' ? ['local://127.0.0.2', 'local://127.0.0.3'] : ['direct://'];
}

/** How Chromium is started: where it is, without a sandbox for root, and without calls to its maker. */
export function chooseChromium(): { executablePath?: string; args: string[] } {
  const file = [process.env['CHROMIUM_PATH'], '/usr/bin/chromium'].find((one) => one !== undefined && existsSync(one));
  const args = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  // Without a file the library takes the browser that it installed itself.
  return file === undefined ? { args } : { executablePath: file, args };
}

function readHttpUrl(value: string): URL | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && ['http:', 'https:'].includes(url.protocol) ? url : undefined;
}
