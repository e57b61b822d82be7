// What crosses the proxy: everything that is not the protocol's own, and nothing that is.

import type { Check } from '../check.js';
import {
  expectArrivals,
  expectField,
  expectNotArrived,
  expectRelayed,
  expectSame,
  expectThat,
  valueOf,
} from '../expect.js';
import type { Arrival } from '../targets/target.js';
import { readBytes } from '../wire/read-answer.js';
import { CREATE, type World } from '../world.js';

export const RELAY_CHECKS: readonly Check[] = [
  {
    id: 'relay.strips-control',
    holds: 'no X-Crawlera- field reaches the target, known or not',
    source: 'scrapy-zyte-smartproxy, §2',
    evidence: 'C',
    given: 'a target',
    when: 'a request carries known and unknown ones, in mixed case',
    expected: 'the target sees none',
    needs: ['target'],
    run: async (world) => {
      const fields = [
        'x-crawlera-client: some/1',
        'X-CRAWLERA-JobId: 7',
        'X-Crawlera-Wait: 3',
        'X-Crawlera-Nothing: 1',
      ];
      expectNotArrived(await arrivalOf(world, CREATE, ...fields), /^x-crawlera-/i);
    },
  },
  {
    id: 'relay.strips-zyte',
    holds: 'no Zyte- field reaches the target',
    source: 'inferred, §2, §8',
    evidence: 'I',
    given: 'a target',
    when: 'a request carries Zyte- fields beside an X-Crawlera- one',
    expected: 'the target sees none',
    needs: ['target'],
    run: async (world) => {
      const fields = ['Zyte-Client: some/1', 'zyte-nothing: 1', 'X-Crawlera-Client: some/1'];
      expectNotArrived(await arrivalOf(world, ...fields), /^zyte-/i);
    },
  },
  {
    id: 'relay.strips-credentials',
    holds: 'what belongs to the proxy stays there, the API key above all',
    source: 'RFC 9110 section 7.6.1, §2.1',
    evidence: 'C',
    given: 'a target',
    when: 'a request carries Proxy-Authorization, Proxy-Connection and a field that Connection names',
    expected: 'the target sees none of them',
    needs: ['target'],
    run: async (world) => {
      const arrival = await arrivalOf(world, 'Proxy-Connection: keep-alive', 'Connection: X-Hop', 'X-Hop: 1');
      expectNotArrived(arrival, /^(?:proxy-|x-hop$)/i);
    },
  },
  {
    id: 'relay.adds-nothing',
    holds: 'the target is not told of a proxy',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a target',
    when: 'it is fetched',
    expected: 'it sees no Via, Forwarded or X-Forwarded-',
    needs: ['target'],
    run: async (world) => expectNotArrived(await arrivalOf(world), /^(?:via|forwarded|x-forwarded-.*|x-real-ip)$/i),
  },
  {
    id: 'relay.fields-out',
    holds: "the client's other fields cross in case, order and number",
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a target',
    when: 'a request carries fields in odd case, one of them twice',
    expected: 'the target sees them so',
    needs: ['target'],
    run: async (world) => {
      const sent = ['b-Odd: 2', 'A-odd: 1', 'b-Odd: 3', 'accept: text/html;q=0.5', 'COOKIE: a=1; b=2'];
      const arrival = await arrivalOf(world, 'X-Crawlera-Cookies: disable', 'X-Crawlera-Profile: pass', ...sent);
      expectSame(
        'what the target saw',
        linesOf(arrival, /^(?:[ab]-odd|accept|cookie)$/i).join(' | '),
        sent.join(' | '),
      );
    },
  },
  {
    id: 'relay.fields-back',
    holds: "the target's other fields cross in case, order and number",
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a target whose answer has fields in odd case, one of them twice',
    when: 'it is fetched',
    expected: 'the client sees them so',
    needs: ['target'],
    run: async (world) => {
      const fields = ['SET-Cookie', 'a=1; Path=/', 'b-Odd', '2', 'SET-Cookie', 'b=2', 'A-odd', '1'];
      const page = world.page((_req, res) => void res.writeHead(200, 'Fine', fields).end());
      const answer = await world.get(page, 'X-Crawlera-Cookies: disable');
      const lines = linesOf(answer, /^(?:[ab]-odd|set-cookie)$/i).join(' | ');
      expectSame('the answer', lines, 'SET-Cookie: a=1; Path=/ | b-Odd: 2 | SET-Cookie: b=2 | A-odd: 1');
      expectSame('the reason', answer.reason, 'Fine');
    },
  },
  {
    id: 'relay.body',
    holds: 'bodies cross whole, both ways',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a target that sends back what it is sent',
    when: '200 KB are posted to it',
    expected: 'they come back',
    needs: ['target'],
    run: async (world) => {
      const body = 'conformance '.repeat(17_000);
      const page = world.page((req, res) => void req.pipe(res));
      const answer = await world.ask({ method: 'POST', to: page.url, body });
      expectRelayed(answer);
      expectThat(answer.body === body, `${answer.body.length} characters of ${body.length} came back, or others`);
    },
  },
  {
    id: 'relay.head',
    holds: 'an answer to HEAD has no body',
    source: 'inferred, RFC 9110 section 9.3.2',
    evidence: 'I',
    given: 'a target',
    when: 'HEAD and then GET are sent over one connection',
    expected: 'both get their answers, the first with its length and without a body',
    needs: ['target'],
    run: async (world) => {
      const { url } = world.page((_req, res) => void res.writeHead(200, { 'Content-Length': 4 }).end('body'));
      const connection = await world.client.dial();
      const head = await world.client.sendOn(connection, { method: 'HEAD', to: url });
      expectField(head, 'Content-Length', /^4$/);
      expectSame('the body', (await world.client.sendOn(connection, { to: url })).body, 'body');
    },
  },
  {
    id: 'relay.redirects',
    holds: 'redirects are not followed',
    source: 'migration/zyte/smartproxy.html, §7',
    evidence: 'D',
    given: 'a target that redirects to another page',
    when: 'it is fetched',
    expected: 'the client gets the redirect, and the other page is not asked for',
    needs: ['target'],
    run: async (world) => {
      const other = world.page();
      const page = world.page((_req, res) => void res.writeHead(302, { Location: other.url }).end());
      const answer = await world.get(page);
      expectRelayed(answer, 302);
      expectSame('Location', valueOf(answer, 'Location'), other.url);
      expectArrivals(other.arrivals, 0);
    },
  },
  {
    id: 'relay.websocket',
    holds: 'an upgrade is passed on, and bytes behind it both ways',
    source: 'zyte-smartproxy-headless-proxy, §7',
    evidence: 'C',
    given: 'a target that switches protocols and echoes',
    when: 'a request asks for an upgrade and writes behind it',
    expected: 'the answer is 101, and the bytes come back',
    needs: ['target'],
    run: async (world) => {
      const connection = await world.client.dial();
      const fields = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
      const answer = await world.client.sendOn(connection, { to: world.page().url, fields });
      expectSame('the status', answer.status, 101);
      connection.write('ping');
      expectSame('what came back', await readBytes(connection), 'ping');
    },
  },
];

async function arrivalOf(world: World, ...fields: readonly string[]): Promise<Arrival> {
  const page = world.page();
  expectRelayed(await world.get(page, ...fields));
  expectArrivals(page.arrivals, 1);
  return page.arrivals[0] as Arrival;
}

function linesOf({ rawHeaders }: { readonly rawHeaders: readonly string[] }, shape: RegExp): string[] {
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && shape.test(name) ? [`${name}: ${rawHeaders[index + 1]}`] : [],
  );
}
