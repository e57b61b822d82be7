// What 'crawlee-session-proxy/client' exports.

export { SessionsClientError } from './client-error.js';
export { SessionsClient } from './sessions-client.js';
export type { ListQuery, SessionsClientOptions } from './sessions-client.js';
export type {
  CreateSessionBody,
  SessionList,
  SessionResource,
  UpstreamList,
  UpstreamResource,
} from '../protocol/rest.js';
