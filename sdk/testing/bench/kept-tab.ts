// The bare pattern under a durable commit: send to the two others, every tab keeps one record in one transaction, done at the first answer and the own record.
import { bareMessage } from "./tab-bare.ts";
import { Stopwatch, type TabSample } from "./tab-stopwatch.ts";
import type { BareLink } from "./tab-tap.ts";

const KEEP = 16;
const KEPT = 17;
const HEADER_BYTES = 6;

/** Where a record goes; the number names one of the tab's bare disks. */
export type KeepRecord = (disk: number, record: Uint8Array) => Promise<void>;

const serialOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(2);

/** One tab's half of the pattern, leader or follower as it is asked. */
export class KeptTab {
  readonly #links: readonly BareLink[];
  readonly #keep: KeepRecord;
  #serial = 0;
  #acknowledged: (serial: number) => void = () => {};

  constructor(links: readonly BareLink[], keep: KeepRecord) {
    this.#links = links;
    this.#keep = keep;
  }

  /** Takes a message of the pattern; false: it is another one's. */
  heard(bytes: Uint8Array, link: BareLink): boolean {
    if (bytes[1] === KEPT) this.#acknowledged(serialOf(bytes));
    else if (bytes[1] === KEEP) void this.#keepAndAnswer(bytes, link);
    else return false;
    return true;
  }

  /** One commit of `perRecord` entries after the other for about `ms`, each one message and one record of `recordBytes`. */
  async commit(options: { readonly ms: number; readonly disk: number; readonly recordBytes: number; readonly perRecord: number }): Promise<TabSample> {
    const { ms, disk, recordBytes, perRecord } = options;
    const watch = new Stopwatch();
    while (watch.elapsedMs < ms) {
      const start = performance.now();
      await this.#once(disk, recordBytes);
      watch.took(performance.now() - start, perRecord);
    }
    return watch.sample();
  }

  async #once(disk: number, recordBytes: number): Promise<void> {
    this.#serial += 1;
    const serial = this.#serial;
    const message = bareMessage(KEEP, serial, 1 + recordBytes);
    message[HEADER_BYTES] = disk;
    const first = new Promise<void>((done) => {
      this.#acknowledged = (of) => {
        // The slower of the two answers comes when another commit is under way.
        if (of === serial) done();
      };
    });
    for (const link of this.#links) link.send(message);
    await Promise.all([first, this.#keep(disk, message.slice(HEADER_BYTES + 1))]);
  }

  async #keepAndAnswer(bytes: Uint8Array, link: BareLink): Promise<void> {
    await this.#keep(bytes[HEADER_BYTES] ?? 0, bytes.slice(HEADER_BYTES + 1));
    link.send(bareMessage(KEPT, serialOf(bytes), 0));
  }
}
