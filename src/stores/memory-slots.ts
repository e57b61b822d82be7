// Slots of a memory store: starts that a client books for its session and keeps by itself. Booking is the use.

import { dropSpentSlots } from '../sessions/session.js';
import { keepPinned } from './memory-loss.js';
import type { Moment } from './memory-state.js';
import type { Booked, BookRequest, Refused } from './session-store.js';
import { refuse } from './views.js';

/** Slots a session may have at a time; more is a client that lost count. */
export const MAX_SLOTS = 1000;

/** Books the next start of a session. @param serial makes the slot's name unlike any other */
export function bookSlot({ state, nowMs }: Moment, request: BookRequest, serial: number): Booked | Refused {
  const { owner, sessionId, target } = request;
  const session = state.sessions.find(owner, sessionId, nowMs);
  if (session === undefined) return refuse('bad_session_id');
  const lost = keepPinned({ state, nowMs }, session, request);
  if (lost !== undefined) return lost;
  const { pin } = session;
  dropSpentSlots(session, nowMs);
  const slots = (session.slots ??= []);
  if (slots.length >= MAX_SLOTS) return refuse('serverbusy');
  const coolMs = state.coolMs(owner, pin, target.site, nowMs);
  if (coolMs > 0) return refuse('banned', { retryAfterMs: coolMs });
  const booking = state.book(pin.outgoingIp, target, nowMs);
  if ('ok' in booking) return booking;
  const id = `${session.id}-${serial}`;
  session.isKept = true;
  slots.push({ id, clock: booking.clock, place: booking.place });
  session.uses += 1;
  session.lastSite = target.site;
  session.lastUsedAtMs = nowMs;
  state.sessions.reorder(session);
  const nextUseInMs = state.paces.freeAtMs(booking.clock) - nowMs;
  return { ok: true, ticket: id, startsInMs: booking.waitMs, nextUseInMs, outgoingIp: pin.outgoingIp };
}

/** Gives back a slot that has not started. @returns false where it has, or is unknown */
export function cancelSlot({ state, nowMs }: Moment, ticket: string): boolean {
  const session = state.sessions.findById(ticket.slice(0, ticket.indexOf('-')), nowMs);
  const slot = session?.slots?.find(({ id }) => id === ticket);
  if (session === undefined || slot === undefined || slot.place.startsAtMs <= nowMs) return false;
  session.slots = session.slots?.filter((other) => other !== slot);
  session.uses -= 1;
  state.giveBack(slot.clock, slot.place, nowMs);
  state.sessions.reorder(session);
  return true;
}
