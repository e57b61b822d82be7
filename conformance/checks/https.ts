// HTTPS: the CONNECT itself, and whose certificate answers behind it.

import { X509Certificate } from 'node:crypto';
import type { Check } from '../check.js';
import { expectArrivals, expectField, expectRelayed, expectSame, expectThat, valueOf } from '../expect.js';
import { readAnswer } from '../wire/read-answer.js';
import { startTls } from '../wire/tunnel.js';
import { CREATE, inSession, type World } from '../world.js';

export const HTTPS_CHECKS: readonly Check[] = [
  {
    id: 'https.connect-1.0',
    holds: 'a CONNECT may be HTTP/1.0 and have no Host',
    source: 'python-requests, §7',
    evidence: 'C',
    given: 'an https target',
    when: 'CONNECT is sent as HTTP/1.0 without Host, and a page is fetched behind it',
    expected: 'it is 200, and the page comes',
    needs: ['https-target'],
    run: async (world) => fetchBehind(world, { version: '1.0', host: false }),
  },
  {
    id: 'https.connect-no-host',
    holds: 'a CONNECT of HTTP/1.1 may have no Host',
    source: 'zyte-smartproxy-headless-proxy, §7',
    evidence: 'C',
    given: 'an https target',
    when: 'CONNECT is sent as HTTP/1.1 without Host, and a page is fetched behind it',
    expected: 'it is 200, and the page comes',
    needs: ['https-target'],
    run: async (world) => fetchBehind(world, { version: '1.1', host: false }),
  },
  {
    id: 'https.connect-bare-host',
    holds: 'the Host of a CONNECT may lack its port; the request line counts',
    source: 'undici, §7',
    evidence: 'C',
    given: 'an https target',
    when: 'CONNECT is sent with a Host without port, and a page is fetched behind it',
    expected: 'it is 200, and the page comes',
    needs: ['https-target'],
    run: async (world) => fetchBehind(world, { version: '1.1', host: world.settings.targetHost }),
  },
  {
    id: 'https.connect-answer',
    holds: 'a CONNECT is answered exactly 200, with not a byte behind its head',
    source: 'zyte-smartproxy-headless-proxy, got-scraping, §7',
    evidence: 'C',
    given: 'an https target',
    when: 'CONNECT is sent',
    expected: 'it is 200 without a body, and TLS can begin',
    needs: ['https-target'],
    run: async (world) => {
      const { opened } = await world.secureTunnel(world.securePage(), { ca: undefined });
      expectSame('the number of bytes behind it', opened.behind, 0);
      for (const name of ['Content-Length', 'Transfer-Encoding']) {
        expectThat(valueOf(opened, name) === undefined, `${name} is there`, opened);
      }
    },
  },
  {
    id: 'https.connect-session',
    holds: 'a session on the CONNECT holds for the tunnel',
    source: "Scrapoxy's connector, §7",
    evidence: 'C',
    given: 'two sessions on two outgoing IPs',
    when: 'a tunnel of each is opened, and pages are fetched in it',
    expected: 'each page sees the address of its session',
    needs: ['https-target', 'two-ips'],
    run: async (world) => {
      const ips: (string | undefined)[] = [];
      for (const id of await world.sessionsOnTwoIps()) {
        const page = world.securePage();
        const plain = world.page();
        await world.get(plain, inSession(id));
        const tunnel = await world.secureTunnel(page, { ca: undefined, fields: [inSession(id)] });
        expectRelayed(await tunnel.ask(page.path));
        expectSame('the address in the tunnel', page.arrivals[0]?.fromIp, plain.arrivals[0]?.fromIp);
        ips.push(page.arrivals[0]?.fromIp);
      }
      expectThat(ips[0] !== ips[1], `both sessions went out from ${ips[0]}`);
    },
  },
  {
    id: 'https.ca',
    holds: 'the certificate of intercepted targets can be had from the server without the key',
    source: 'inferred, §1',
    evidence: 'I',
    given: 'no credentials',
    when: 'GET /ca.crt is sent to the server',
    expected: 'it is 200 with a PEM certificate of a CA, and no key',
    needs: ['interception'],
    run: async (world) => {
      const answer = await world.client.send({ to: '/ca.crt', credentials: [] });
      expectSame('the status', answer.status, 200);
      expectThat(!answer.body.includes('PRIVATE KEY'), 'the answer has a private key');
      expectThat(new X509Certificate(answer.body).ca, 'the certificate is not that of a CA');
    },
  },
  {
    id: 'https.leaf',
    holds: "a tunnel without a session is answered with a certificate that the server's CA signed for the target",
    source: "the vendor's client samples, §7",
    evidence: 'C',
    given: "the server's CA, and an https target",
    when: 'a tunnel is opened, with TLS that trusts that CA alone',
    expected: 'the certificate is valid for the host, and a page comes',
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage();
      expectRelayed(await (await world.secureTunnel(page)).ask(page.path));
      expectArrivals(page.arrivals, 1);
    },
  },
  {
    id: 'https.alpn',
    holds: 'inside the tunnel HTTP/1.1 is spoken: HTTP/2 would lower the case of names that clients compare',
    source: 'zyte-smartproxy-puppeteer, §2, §7',
    evidence: 'C',
    given: 'a client that offers h2 and http/1.1',
    when: 'it starts TLS in a tunnel',
    expected: 'http/1.1 is agreed on',
    needs: ['interception'],
    run: async (world) => {
      const { connection } = await world.secureTunnel(world.securePage(), { alpn: ['h2', 'http/1.1'] });
      expectSame('the protocol', connection.alpnProtocol || 'http/1.1', 'http/1.1');
    },
  },
  {
    id: 'https.plain-inside',
    holds: 'a tunnel may carry plain HTTP, with control headers in it',
    source: 'undici, §7',
    evidence: 'C',
    given: 'an http target',
    when: 'a tunnel to it is opened without TLS, and a request in it asks for a session',
    expected: "the target's answer has an ID, and the target sees no control header",
    needs: ['target', 'interception'],
    run: async (world) => {
      const page = world.page();
      const answer = await (await world.tunnel(page)).ask(page.path, CREATE);
      expectRelayed(answer);
      world.adopt(expectField(answer, 'X-Crawlera-Session'));
    },
  },
  {
    id: 'https.absolute-form',
    holds: 'an https URL may be asked for without a tunnel',
    source: 'older documents, §1.1',
    evidence: 'D',
    given: 'an https target',
    when: 'GET https://TARGET/ is sent to the proxy, asking for a session',
    expected: "the target's answer comes, with an ID",
    needs: ['https-target'],
    run: async (world) => {
      const page = world.securePage();
      const answer = await world.get(page, CREATE);
      expectRelayed(answer);
      expectField(answer, 'X-Crawlera-Session');
      expectArrivals(page.arrivals, 1);
    },
  },
];

/** Opens a tunnel with a CONNECT of this shape and fetches a page in it. */
async function fetchBehind(world: World, shape: { version: '1.0' | '1.1'; host: string | false }): Promise<void> {
  const page = world.securePage();
  const socket = await world.client.dial();
  const opened = await world.client.sendOn(socket, { method: 'CONNECT', to: page.authority, ...shape });
  expectThat(opened.status === 200, 'the CONNECT was refused', opened);
  const connection = await startTls(world.client, socket, page.authority, {});
  const answer = readAnswer(connection, 'GET');
  connection.write(world.client.bytesOf({ to: page.path, host: page.authority, credentials: [] }));
  expectRelayed(await answer);
}
