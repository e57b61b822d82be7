// Whether an answer is what was asked for. Only what tells a gateway's answer from another program's is looked at, so
// that members a later version adds, or leaves out, break nothing.

import type { SessionList, SessionResource, SlotResource, UpstreamList } from '../protocol/rest.js';

/** Whether this is a session. */
export function isSession(value: unknown): value is SessionResource {
  return hasText(value, 'id') && hasText(value, 'outgoingIp');
}

/** Whether this is a booked slot. */
export function isSlot(value: unknown): value is SlotResource {
  return hasText(value, 'slot') && isRecord(value) && typeof value['startsInMs'] === 'number';
}

/** Whether this is a page of sessions. */
export function isSessionList(value: unknown): value is SessionList {
  return isRecord(value) && Array.isArray(value['sessions']) && value['sessions'].every(isSession);
}

/** Whether this is the list of upstreams and delays. */
export function isUpstreamList(value: unknown): value is UpstreamList {
  return (
    isRecord(value) &&
    Array.isArray(value['upstreams']) &&
    value['upstreams'].every((upstream) => hasText(upstream, 'name')) &&
    isRecord(value['delays'])
  );
}

/** Whether this is the protocol's own list: session IDs and their outgoing IPs. */
export function isPlainList(value: unknown): value is Readonly<Record<string, string>> {
  return isRecord(value) && Object.values(value).every((outgoingIp) => typeof outgoingIp === 'string');
}

function hasText(value: unknown, name: string): boolean {
  return isRecord(value) && typeof value[name] === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
