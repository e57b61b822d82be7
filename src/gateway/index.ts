// What 'crawlee-session-proxy/gateway' exports: the server, with no Crawlee in sight.

export { Gateway, type GatewayHooks } from './gateway.js';
export { ConfigurationError, type ConfigurationFault } from './option-faults.js';
export type { GatewayEvent, UseSettled } from './events.js';
export type { GatewayOptions } from './gateway-options.js';
