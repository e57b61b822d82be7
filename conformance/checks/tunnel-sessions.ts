// Sessions inside intercepted tunnels: official clients write the control headers into the messages there, and read the
// answers' from there.

import type { Check } from '../check.js';
import {
  expectArrivals,
  expectError,
  expectField,
  expectNotArrived,
  expectRelayed,
  expectSame,
  expectThat,
} from '../expect.js';
import type { Arrival } from '../targets/target.js';
import { filling, proxyAuthorization } from '../wire/proxy-client.js';
import { readBytes } from '../wire/read-answer.js';
import { CREATE, inSession } from '../world.js';

export const TUNNEL_SESSION_CHECKS: readonly Check[] = [
  {
    id: 'tunnel.create',
    holds: 'create inside a tunnel makes a session, and the ID is in the answer there',
    source: 'zyte-smartproxy-headless-proxy, §7',
    evidence: 'C',
    given: 'a tunnel',
    when: 'a request in it carries X-Crawlera-Session: create',
    expected: "the target's answer has an ID, a version, and the list has the ID",
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage();
      const answer = await (await world.secureTunnel(page)).ask(page.path, CREATE);
      expectRelayed(answer);
      const id = expectField(answer, 'X-Crawlera-Session');
      world.adopt(id);
      expectField(answer, 'X-Crawlera-Version');
      expectThat((await world.listSessions()).has(id), `the list does not have ${id}`);
    },
  },
  {
    id: 'tunnel.pin',
    holds: 'a session keeps its outgoing IP in tunnels, too',
    source: 'sessions.html, §7',
    evidence: 'D',
    given: 'a session, and the address that an http target saw of it',
    when: 'it is used in two tunnels',
    expected: 'an https target sees the same address, and each answer has the ID',
    needs: ['target', 'interception'],
    run: async (world) => {
      const id = await world.createSession();
      const plain = world.page();
      await world.get(plain, inSession(id));
      const page = world.securePage();
      for (let use = 0; use < 2; use += 1) {
        const answer = await (await world.secureTunnel(page)).ask(page.path, inSession(id));
        expectSame('X-Crawlera-Session', expectField(answer, 'X-Crawlera-Session'), id);
      }
      for (const { fromIp } of page.arrivals) expectSame('the address', fromIp, plain.arrivals[0]?.fromIp);
    },
  },
  {
    id: 'tunnel.alternate',
    holds: 'requests of one tunnel may belong to different sessions',
    source: 'zyte-smartproxy-puppeteer, §7',
    evidence: 'C',
    given: 'two sessions on two outgoing IPs, and one tunnel that is kept open',
    when: 'they are used in it in turn',
    expected: 'the target sees the address of each, and each answer has its own ID',
    needs: ['interception', 'two-ips'],
    run: async (world) => {
      const ids = await world.sessionsOnTwoIps();
      const page = world.securePage();
      const tunnel = await world.secureTunnel(page);
      for (const id of [...ids, ...ids]) {
        const answer = await tunnel.ask(page.path, inSession(id));
        expectSame('X-Crawlera-Session', expectField(answer, 'X-Crawlera-Session'), id);
      }
      const [a, b, c, d] = page.arrivals.map(({ fromIp }) => fromIp);
      expectThat(a === c && b === d && a !== b, `the target saw ${[a, b, c, d].join(', ')}`);
    },
  },
  {
    id: 'tunnel.unknown',
    holds: 'bad_session_id comes as an answer inside the tunnel, never as a refused CONNECT',
    source: 'zyte-smartproxy-puppeteer, §3.3, §7',
    evidence: 'C',
    given: 'a tunnel, and no such session',
    when: 'a request in it names that session, and one after it none',
    expected: 'the first is 400 bad_session_id with its ID, the second is served in the same tunnel',
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage();
      const tunnel = await world.secureTunnel(page);
      const answer = await tunnel.ask(page.path, inSession('1'));
      expectError(answer, 400, 'bad_session_id');
      expectRelayed(await tunnel.ask(page.path));
      expectArrivals(page.arrivals, 1);
    },
  },
  {
    id: 'tunnel.strips',
    holds: 'control headers and credentials inside a tunnel do not reach the target',
    source: 'zyte-smartproxy-headless-proxy, §2.1, §7',
    evidence: 'C',
    given: 'a tunnel',
    when: 'a request in it carries control headers and Proxy-Authorization',
    expected: 'the target sees none of them',
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage();
      const tunnel = await world.secureTunnel(page);
      const credentials = proxyAuthorization(world.client.address.key);
      const answer = await tunnel.ask(page.path, credentials, 'X-Crawlera-Client: a/1', 'X-Crawlera-Nothing: 1');
      expectRelayed(answer);
      expectNotArrived(page.arrivals[0] as Arrival, /^(?:x-crawlera-|proxy-)/i);
    },
  },
  {
    id: 'tunnel.other-key',
    holds: 'requests in a tunnel are authorized by the tunnel; other credentials inside are ignored',
    source: 'inferred, §7',
    evidence: 'I',
    given: 'a tunnel',
    when: 'a request in it carries the credentials of nobody',
    expected: 'it is served',
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage();
      const tunnel = await world.secureTunnel(page);
      expectRelayed(await tunnel.ask(page.path, proxyAuthorization('nobody-at-all')));
    },
  },
  {
    id: 'tunnel.defaults',
    holds: 'control headers on the CONNECT are defaults for the requests inside, which may say otherwise',
    source: "Scrapoxy's connector and inferred, §7",
    evidence: 'I',
    given: 'a tunnel whose CONNECT asks for the debug field request-time',
    when: 'requests in it ask for nothing, and for ua',
    expected: 'the first answer has the time, the second the user agent alone',
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage();
      const tunnel = await world.secureTunnel(page, { fields: ['X-Crawlera-Debug: request-time'] });
      expectField(await tunnel.ask(page.path), 'X-Crawlera-Debug-Request-Time');
      const answer = await tunnel.ask(page.path, 'User-Agent: checker/1', 'X-Crawlera-Debug: ua');
      expectField(answer, 'X-Crawlera-Debug-UA', /^checker\/1$/);
    },
  },
  {
    id: 'tunnel.keep-alive',
    holds: 'a tunnel serves many requests, those with bodies too',
    source: 'zyte-smartproxy-puppeteer, §7',
    evidence: 'C',
    given: 'a tunnel',
    when: 'a POST, a HEAD and two GETs are sent in it',
    expected: 'all are answered, the POST with its own body',
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage((req, res) => void req.pipe(res));
      const tunnel = await world.secureTunnel(page);
      const posted = await tunnel.send({ method: 'POST', to: page.path, body: 'a body' });
      expectSame('the body', posted.body, 'a body');
      for (const method of ['HEAD', 'GET', 'GET']) expectRelayed(await tunnel.send({ method, to: page.path }));
      expectArrivals(page.arrivals, 4);
    },
  },
  {
    id: 'tunnel.headers-fit',
    holds: 'header fields may have 100 KiB in all inside a tunnel, too',
    source: 'smart-proxy-manager.html, §1',
    evidence: 'D',
    given: 'a tunnel, and header fields of 96 KiB',
    when: 'a request in it carries them',
    expected: 'it is served with a version, and the target sees them',
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage();
      const answer = await (await world.secureTunnel(page)).ask(page.path, ...filling(96));
      expectRelayed(answer);
      expectField(answer, 'X-Crawlera-Version');
      expectArrivals(page.arrivals, 1);
    },
  },
  {
    id: 'tunnel.redirects',
    holds: 'redirects inside a tunnel are not followed',
    source: 'migration/zyte/smartproxy.html, §7',
    evidence: 'D',
    given: 'an https target that redirects to another page',
    when: 'it is fetched in a tunnel',
    expected: 'the client gets the redirect, and the other page is not asked for',
    needs: ['interception'],
    run: async (world) => {
      const other = world.securePage();
      const page = world.securePage((_req, res) => void res.writeHead(302, { Location: other.url }).end());
      expectRelayed(await (await world.secureTunnel(page)).ask(page.path), 302);
      expectArrivals(other.arrivals, 0);
    },
  },
  {
    id: 'tunnel.websocket',
    holds: 'an upgrade inside a tunnel is passed on',
    source: 'zyte-smartproxy-headless-proxy, §7',
    evidence: 'C',
    given: 'a tunnel to a target that switches protocols and echoes',
    when: 'a request asks for an upgrade and writes behind it',
    expected: 'the answer is 101, and the bytes come back',
    needs: ['interception'],
    run: async (world) => {
      const page = world.securePage();
      const { ask, connection } = await world.secureTunnel(page);
      const answer = await ask(page.path, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13');
      expectSame('the status', answer.status, 101);
      connection.write('ping');
      expectSame('what came back', await readBytes(connection), 'ping');
    },
  },
];
