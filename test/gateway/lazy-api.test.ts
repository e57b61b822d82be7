import { expect, test } from 'vitest';
import { API_KEY, startGateway } from '../support/gateway.js';
import { openRaw, readAnswer } from '../support/raw-client.js';

test('requests that come before the API is loaded are all answered', async () => {
  const { port } = await startGateway();
  const authorization = `Authorization: Basic ${btoa(`${API_KEY}:`)}\r\n`;
  const head = `POST /sessions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${authorization}Content-Length: 0\r\n\r\n`;
  const answers = await Promise.all(Array.from({ length: 20 }, () => readAnswer(openRaw(port, head))));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(new Set(answers.map(({ body }) => body)).size).toBe(20);
});

test('a client that leaves before the API is loaded leaves the gateway as it was', async () => {
  const { port, events } = await startGateway();
  openRaw(port, `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`).destroySoon();
  const answer = await readAnswer(openRaw(port, `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
  expect(answer.status).toBe(200);
  expect(events.map(({ type }) => type)).not.toContain('gateway.failure');
});
