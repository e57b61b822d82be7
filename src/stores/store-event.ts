// What a store tells unasked. Part of the port, `session-store.ts`, by which it is imported.

import type { Loss } from '../sessions/loss.js';

/** What a store tells unasked. Missing a `moved` is safe: the use then starts at its old, later time. */
export type StoreEvent =
  | { readonly type: 'moved'; readonly paceKey: string }
  | {
      readonly type: 'session.created';
      readonly owner: string;
      readonly sessionId: string;
      readonly outgoingIp: string;
    }
  | {
      readonly type: 'session.ended';
      readonly owner: string;
      readonly sessionId: string;
      readonly reason: EndReason;
    }
  | {
      /** It leaves from elsewhere now, by its rule of loss. */
      readonly type: 'session.moved';
      readonly owner: string;
      readonly sessionId: string;
      /** Outgoing IPs; the same where the move changed none. */
      readonly from: string;
      readonly to: string;
      readonly why: Loss;
    }
  | {
      /** Its upstream has another outgoing IP than it was known to have. */
      readonly type: 'session.ip-changed';
      readonly owner: string;
      readonly sessionId: string;
      readonly upstream: string;
      readonly from: string;
      readonly to: string;
    };

/**
 * Why a session ended. `unused`: no use of it got an answer; `banned`: banned ones are not kept; `lost`: its upstream is
 * gone; `ip-changed`: so has its outgoing IP, and it was not to be kept then.
 */
export type EndReason = 'deleted' | 'expired' | 'unused' | 'banned' | 'lost' | 'ip-changed';
