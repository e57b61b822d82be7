// The client: lanes that send one request after the other through a proxy, each inside TLS inside CONNECT. It trusts the
// proxy's authority and nothing else, so an answer proves that the connection was looked into.

import http from 'node:http';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

import { answerParent } from '../../shared/parent.js';

/**
 * Where lanes connect from, each from its own address where the system has them. From one address for all, a client could
 * have the port from which the proxy reaches the target, which mockttp takes for a loop; and ports would run out.
 */
const addressOf = (lane) => (process.platform === 'linux' ? `127.0.1.${1 + (lane % 250)}` : undefined);

/** The jobs that are open, by name. */
const jobs = new Map();

answerParent({
  /** Takes the job; where its tunnels are to last, they are opened now. */
  async open({ name, ...given }) {
    const job = { ...given, trust: tls.createSecureContext({ ca: given.ca }), tunnels: [] };
    if (job.keeps) job.tunnels = await Promise.all(lanesOf(job, (lane) => openTunnel(job, lane)));
    jobs.set(name, job);
  },

  /**
   * Sends requests for a time, and longer until there were `requests`, up to `maxSeconds`.
   *
   * @returns how many were answered, and the time it took, in milliseconds
   */
  async drive({ name, seconds, requests, maxSeconds }) {
    const job = jobs.get(name);
    const startedAtMs = performance.now();
    const past = (part) => performance.now() - startedAtMs >= part * 1000;
    let count = 0;
    const lanes = lanesOf(job, async (lane) => {
      for (; !past(seconds) || (count < requests && !past(maxSeconds)); count += 1) await serveOne(job, lane);
    });
    await Promise.all(lanes);
    return { requests: count, tookMs: performance.now() - startedAtMs };
  },

  async close({ name }) {
    await Promise.all(jobs.get(name).tunnels.map(closeTunnel));
    jobs.delete(name);
  },
});

function lanesOf({ lanes }, run) {
  return Array.from({ length: lanes }, (_, lane) => run(lane));
}

async function serveOne(job, lane) {
  const tunnel = job.tunnels[lane] ?? (await openTunnel(job, lane));
  await sendRequest(job, tunnel);
  if (!job.keeps) await closeTunnel(tunnel);
}

/** Opens CONNECT and TLS with a full handshake. @returns an agent that sends through it and nothing else */
async function openTunnel(job, lane) {
  const socket = await openConnect(job, addressOf(lane));
  const { servername, trust: secureContext } = job;
  const secured = tls.connect({ socket, servername, secureContext, ALPNProtocols: ['http/1.1'] });
  await once(secured, 'secureConnect');
  // A lost connection fails the request that runs on it.
  secured.on('error', () => secured.destroy());
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => {
    if (!secured.writable) throw new Error('The proxy closed a tunnel on which requests were to follow');
    return secured;
  };
  return { agent, secured, socket };
}

async function openConnect({ proxy: { port, user }, target }, localAddress) {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
  const authority = `${target.host}:${target.port}`;
  const key = user === undefined ? '' : `Proxy-Authorization: Basic ${btoa(`${user}:`)}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${key}\r\n`);
  let head = '';
  while (!head.endsWith('\r\n\r\n')) {
    const [chunk] = await once(socket, 'data');
    head += chunk.toString('latin1');
  }
  socket.removeAllListeners('data').pause();
  if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`The proxy refused a CONNECT: ${head}`);
  return socket;
}

function sendRequest({ target, headers, answerBytes }, { agent }) {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent, host: target.host, port: target.port, path: '/', headers }, (response) => {
      let bytes = 0;
      response.on('data', (chunk) => (bytes += chunk.length));
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200 && bytes === answerBytes) resolve();
        else reject(new Error(`A request was answered with ${response.statusCode} and ${bytes} bytes`));
      });
    });
    request.once('error', reject);
  });
}

async function closeTunnel({ secured, socket }) {
  const closed = once(socket, 'close');
  secured.end();
  await closed;
}
