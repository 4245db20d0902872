// One writer's serials: which come next, which are open, and the lowest that may still be sent again.
import { InvalidArgumentError } from "../base/index.ts";
import { SERIAL_WINDOW } from "./client-sessions.ts";

/** Hands out the serials of one client id and knows what to tell the group about them. */
export class SerialBook {
  #last: number;
  /** Everything below is settled or given up. */
  #lowest: number;
  readonly #settled = new Set<number>();
  readonly #open = new Set<number>();

  /** `last`: the highest serial that may have been used before; `lowest`: the lowest that may have been left open. */
  constructor(last = 0, lowest: number = last + 1) {
    this.#last = last;
    this.#lowest = lowest;
  }

  /** The last serial used or reserved. */
  get last(): number {
    return this.#last;
  }

  /** Goes into every envelope: no serial below it will be sent again. */
  get lowest(): number {
    return this.#lowest;
  }

  /** True when the next serial, or the one asked for, would be too far ahead of one that is still under way. One that was used before never is. */
  isFull(requestId: number = this.#last + 1): boolean {
    return requestId > this.#last && requestId >= this.#lowest + SERIAL_WINDOW && this.#firstOpen(requestId) <= requestId - SERIAL_WINDOW;
  }

  /**
   * Takes the next serial, or the one asked for. A serial whose outcome stayed unknown may be asked for again until it falls SERIAL_WINDOW behind
   * the newest; then it is given up for ever (`InvalidArgumentError`): what it stood for may or may not have happened, and will not happen later.
   */
  take(requestId: number | undefined): number {
    const serial = requestId ?? this.#last + 1;
    if (!Number.isSafeInteger(serial) || serial < 1) throw new InvalidArgumentError(`a requestId is a whole number from 1, got ${serial}`);
    if (serial < this.#lowest) throw new InvalidArgumentError(`requestId ${serial} is settled or was given up; the lowest still open is ${this.#lowest}`);
    this.#last = Math.max(this.#last, serial);
    this.#open.add(serial);
    this.#giveUpBelow(this.#last - SERIAL_WINDOW + 1);
    return serial;
  }

  /** The serial was applied, or refused for good: nobody will send it again. */
  settle(serial: number): void {
    this.#open.delete(serial);
    if (serial >= this.#lowest) this.#settled.add(serial);
    while (this.#settled.delete(this.#lowest)) this.#lowest += 1;
  }

  /** Nothing is under way for this serial, but it may be asked for again. */
  leaveOpen(serial: number): void {
    this.#open.delete(serial);
  }

  /** In one step: whoever names the serials itself may leave a gap of any size. */
  #giveUpBelow(lowest: number): void {
    if (lowest <= this.#lowest) return;
    this.#lowest = this.#firstOpen(lowest);
    for (const serial of this.#settled) if (serial < this.#lowest) this.#settled.delete(serial);
    while (this.#settled.delete(this.#lowest)) this.#lowest += 1;
  }

  /** The lowest serial under way; `above` where none is below it. */
  #firstOpen(above: number): number {
    if (this.#open.has(this.#lowest)) return this.#lowest;
    let first = above;
    for (const serial of this.#open) if (serial < first) first = serial;
    return first;
  }
}
