// The bare pattern under a commit: send to the two others, wait until the first of them answers. Nothing is decided, kept or framed.
import { TAP_KIND, type BareLink } from "./tab-tap.ts";
import { Stopwatch, type TabSample } from "./tab-stopwatch.ts";

const ENTRY = 1;
const ACKNOWLEDGEMENT = 2;
const FLOOD = 3;
const FLOOD_END = 4;
const HEADER_BYTES = 6;

/** One message of the pattern: what it is, which number it has, and `payload` bytes behind that. */
export function bareMessage(kind: number, serial: number, payload: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload);
  bytes[0] = TAP_KIND;
  bytes[1] = kind;
  new DataView(bytes.buffer).setUint32(2, serial);
  return bytes;
}

const serialOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(2);

/** One tab's half of the pattern, leader or follower as it is asked. */
export class BareTab {
  readonly links: BareLink[] = [];
  #serial = 0;
  #acknowledged: (serial: number) => void = () => {};

  /** Answers at once, in the event the message came in. */
  heard(bytes: Uint8Array, link: BareLink): void {
    if (bytes[1] === ENTRY || bytes[1] === FLOOD_END) link.send(bareMessage(ACKNOWLEDGEMENT, serialOf(bytes), 0));
    else if (bytes[1] === ACKNOWLEDGEMENT) this.#acknowledged(serialOf(bytes));
  }

  /** One message of `perMessage` entries at a time, `messages` of them in flight, for about `ms`. */
  commit(options: { readonly ms: number; readonly entryBytes: number; readonly perMessage: number; readonly messages: number }): Promise<TabSample> {
    const { ms, entryBytes, perMessage, messages } = options;
    const began = new Map<number, number>();
    const watch = new Stopwatch();
    return new Promise((done) => {
      const send = (): void => {
        this.#serial += 1;
        began.set(this.#serial, performance.now());
        // A message is made per commit, as whoever has something to say must.
        const message = bareMessage(ENTRY, this.#serial, perMessage * entryBytes);
        for (const link of this.links) link.send(message);
      };
      this.#acknowledged = (serial) => {
        const start = began.get(serial);
        // The slower of the two answers.
        if (start === undefined) return;
        began.delete(serial);
        watch.took(performance.now() - start, perMessage);
        if (watch.elapsedMs < ms) send();
        else if (began.size === 0) done(watch.sample());
      };
      for (let at = 0; at < messages; at += 1) send();
    });
  }

  /** `count` messages one way as fast as the channel takes them; the time ends with the answer to the last. */
  flood(link: BareLink, count: number, size: number): Promise<TabSample> {
    const watch = new Stopwatch();
    const payload = new Uint8Array(size);
    payload[0] = TAP_KIND;
    payload[1] = FLOOD;
    return new Promise((done) => {
      this.#acknowledged = () => {
        watch.took(watch.elapsedMs, count);
        done(watch.sample());
      };
      for (let sent = 0; sent < count; sent += 1) link.send(payload);
      link.send(bareMessage(FLOOD_END, 0, 0));
    });
  }
}
