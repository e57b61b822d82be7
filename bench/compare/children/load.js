// The client of tunnels, and of plain requests where wrk isn't installed: so many lanes at a time, on sockets, for a client
// that parses more than it has to would be what is measured.

import { answerParent } from '../../shared/parent.js';
import { connect, LineClosed, openTunnel } from './line.js';

/** Sent without end. */
const PIECE = Buffer.alloc(256 * 1024, 'x');

/** More at a time would not fit in the queue of a listener. */
const OPENED_AT_ONCE = 128;

/** The job that is open. */
let job;

answerParent({
  /** Takes a job, and opens what is to be open before it is driven. */
  async open(given) {
    const lines = [];
    const count = given.does === 'set-ups' ? 0 : given.lanes;
    while (lines.length < count) {
      const opened = Array.from({ length: Math.min(OPENED_AT_ONCE, count - lines.length) }, () => openLine(given));
      lines.push(...(await Promise.all(opened)));
    }
    job = { ...given, lines, request: Buffer.from(tunnelRequest(given)), sent: 0 };
  },

  /** Does the job for a while. @returns what was done, in requests, set-ups or megabytes, and how long it took, in milliseconds */
  async drive({ seconds }) {
    const startedAtMs = performance.now();
    const untilMs = startedAtMs + seconds * 1000;
    const count = await JOBS[job.does](untilMs);
    return { count, tookMs: performance.now() - startedAtMs };
  },

  async close() {
    for (const line of job.lines) line.destroy();
    job = undefined;
  },
});

const JOBS = {
  plain: (untilMs) => inLanes(untilMs, (lane) => job.lines[lane].exchange(plainRequest(job), job.answerBytes)),
  requests: (untilMs) => inLanes(untilMs, (lane) => job.lines[lane].exchange(job.request, job.answerBytes)),
  'set-ups': (untilMs) => inLanes(untilMs, setUp),
  async down(untilMs) {
    const before = bytesIn();
    for (const line of job.lines) line.write('x');
    await until(untilMs);
    return (bytesIn() - before) / 1e6;
  },
  async up(untilMs) {
    for (const line of job.lines) line.pour(PIECE);
    await until(untilMs);
    for (const line of job.lines) line.stop();
  },
};

async function inLanes(untilMs, serve) {
  let count = 0;
  const lanes = Array.from({ length: job.lanes }, async (_, lane) => {
    for (; performance.now() < untilMs; count += 1) await serve(lane);
  });
  await Promise.all(lanes);
  return count;
}

async function setUp() {
  const line = await openLine(job);
  await line.exchange(job.request, job.answerBytes);
  await line.end();
}

function bytesIn() {
  return job.lines.reduce((sum, line) => sum + line.bytesIn, 0);
}

async function until(atMs) {
  await new Promise((resolve) => setTimeout(resolve, atMs - performance.now()));
  if (job.lines.some((line) => line.isClosed)) throw new LineClosed();
}

let lastSession = 0;

function nextSession(sessions) {
  lastSession = (lastSession + 1) % sessions.length;
  return sessions[lastSession];
}

/** To the proxy for plain requests, through it for tunnels, to the target itself where there is none. */
function openLine({ does, proxy, targetPort, sessions }) {
  if (proxy === undefined) return connect(targetPort);
  if (does === 'plain') return connect(proxy.port);
  return openTunnel({ ...proxy, targetPort, session: sessions && nextSession(sessions) });
}

function tunnelRequest({ targetPort, headers, answerBytes }) {
  return `GET /${answerBytes} HTTP/1.1\r\nHost: 127.0.0.1:${targetPort}\r\n${fieldsOf(headers)}\r\n`;
}

function plainRequest({ proxy, targetPort, headers, answerBytes, sessions }) {
  const authority = `127.0.0.1:${targetPort}`;
  const url = proxy === undefined ? `/${answerBytes}` : `http://${authority}/${answerBytes}`;
  const credentials = proxy?.authorization ? `Proxy-Authorization: ${proxy.authorization}\r\n` : '';
  const session = sessions ? `X-Crawlera-Session: ${nextSession(sessions)}\r\n` : '';
  return `GET ${url} HTTP/1.1\r\nHost: ${authority}\r\n${fieldsOf(headers)}${credentials}${session}\r\n`;
}

function fieldsOf(headers) {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}
