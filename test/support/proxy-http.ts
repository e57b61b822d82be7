// A real HTTP proxy, other people's code, that keeps what it was asked.

import { RequestError, Server } from 'proxy-chain';

/** A listening proxy. */
export interface HttpProxy {
  readonly host: string;
  readonly port: number;
  /** Method and request target of each request, in the order they came. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** What the proxy is to do. */
export interface HttpProxyOptions {
  /** `user:password` it wants. */
  readonly credentials?: string;
  /** Status it refuses everything with. */
  readonly refuseWith?: number;
  /** @default any that is free */
  readonly port?: number;
}

/** Listens on a port of 127.0.0.1. */
export async function createHttpProxy(options: HttpProxyOptions = {}): Promise<HttpProxy> {
  const asked: string[] = [];
  const server = new Server({
    host: '127.0.0.1',
    port: options.port ?? 0,
    prepareRequestFunction: ({ request, username, password }) => {
      asked.push(`${request.method} ${request.url}`);
      if (options.refuseWith !== undefined) throw new RequestError('refused', options.refuseWith);
      const isAllowed = options.credentials === undefined || options.credentials === `${username}:${password}`;
      return { requestAuthentication: !isAllowed };
    },
  });
  await server.listen();
  return { host: '127.0.0.1', port: server.port, asked, close: () => server.close(true) };
}
