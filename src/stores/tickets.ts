// What is in flight, found by its ticket. A Map would do, if the tables it leaves behind did not hold on to those that
// came after: some memory of every request stayed until the next full collection.

const FIRST_CAPACITY = 16;

/** Things by ticket, bounded by those that were not taken away yet. */
export class Tickets<T> {
  /** A ticket stands at the remainder of its number. */
  #tickets: (string | undefined)[] = emptyPlaces(FIRST_CAPACITY);
  #things: (T | undefined)[] = emptyPlaces(FIRST_CAPACITY);
  #size = 0;
  #lastSerial = 0;

  get size(): number {
    return this.#size;
  }

  /** Keeps a thing. @returns its ticket, unlike any before */
  add(thing: T): string {
    // At least half of the places are free, so that hardly any is passed over.
    if (this.#size * 2 >= this.#tickets.length) this.#grow();
    let place: number;
    do {
      this.#lastSerial += 1;
      place = this.#placeOf(this.#lastSerial);
    } while (this.#tickets[place] !== undefined);
    const ticket = `t${this.#lastSerial}`;
    this.#tickets[place] = ticket;
    this.#things[place] = thing;
    this.#size += 1;
    return ticket;
  }

  get(ticket: string): T | undefined {
    const place = this.#placeOf(serialOf(ticket));
    return this.#tickets[place] === ticket ? this.#things[place] : undefined;
  }

  /** Takes a thing away; a ticket that is not there changes nothing. */
  delete(ticket: string): void {
    const place = this.#placeOf(serialOf(ticket));
    if (this.#tickets[place] !== ticket) return;
    this.#tickets[place] = undefined;
    this.#things[place] = undefined;
    this.#size -= 1;
  }

  /** Those that had places of their own have them among twice as many too. */
  #grow(): void {
    const [tickets, things] = [this.#tickets, this.#things];
    this.#tickets = emptyPlaces(2 * tickets.length);
    this.#things = emptyPlaces(2 * tickets.length);
    for (const [index, ticket] of tickets.entries()) {
      if (ticket === undefined) continue;
      const place = this.#placeOf(serialOf(ticket));
      this.#tickets[place] = ticket;
      this.#things[place] = things[index];
    }
  }

  #placeOf(serial: number): number {
    return serial % this.#tickets.length;
  }
}

/** The number in a ticket; some number for what is no ticket, which then is not at its place. */
function serialOf(ticket: string): number {
  let serial = 0;
  for (let index = 1; index < ticket.length; index += 1) serial = 10 * serial + ticket.charCodeAt(index) - 48;
  return serial;
}

function emptyPlaces<T>(capacity: number): (T | undefined)[] {
  return Array.from({ length: capacity }, () => undefined);
}
