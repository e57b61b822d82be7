// What 'crawlee-session-proxy' exports: the plugin for crawlers.

export { ProxySessionError } from './crawlee/errors.js';
export type { ProxySessionInfo } from './crawlee/gateway-sessions.js';
export type { SessionProxyConfigurationOptions } from './crawlee/options.js';
export { ProxySessionPool } from './crawlee/proxy-session-pool.js';
export type { ProxySessionPoolOptions } from './crawlee/proxy-session-pool.js';
export { SessionProxyConfiguration } from './crawlee/session-proxy-configuration.js';
export type { LaunchOptions } from './crawlee/session-proxy-configuration.js';
