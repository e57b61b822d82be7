// What 'crawlee-session-proxy/crawlee4' exports: the session pool for Crawlee 4. Experimental, as Crawlee 4 is not out.

export type { CrawleeSession, CrawleeSessionPool, SessionProxyInfo } from './crawlee-4.js';
export type { PooledSession } from './pooled-session.js';
export type { ProxySessionPoolOptions } from './pool-options.js';
export { ProxySessionPool } from './proxy-session-pool.js';
