// Links of one process for tests of the mesh: the same negotiation, on a clock one turns, with failures on request.
import type { Clock } from "../../base/index.ts";
import type { LinkFingerprints } from "./fingerprint.ts";
import type { Link, LinkFactory, LinkListener, LinkOptions, Negotiation } from "./link.ts";

/** What a {@link MemoryNet} counts. */
export interface MemoryNetCounts {
  made: number;
  open: number;
}

/** Joins links whose offer and answer met. A description carries a serial instead of an SDP. */
export class MemoryNet {
  readonly counts: MemoryNetCounts = { made: 0, open: 0 };
  /** While false, descriptions pass but no path is found. */
  paths = true;
  /** Messages given to lossy lanes. */
  lossySent = 0;
  /** While false, links have no lossy lane. */
  lossyLanes = true;
  /** While true, whatever goes into a lossy lane is lost. */
  losing = false;
  /** How many messages wait before the buffer drains; they pass one per millisecond while `slow`. */
  slow = false;
  readonly links: MemoryLink[] = [];
  readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Makes links of this net. */
  readonly open: LinkFactory = (options, listener) => {
    this.counts.made += 1;
    this.counts.open += 1;
    const link = new MemoryLink(this, this.links.length, options, listener);
    this.links.push(link);
    return link;
  };
}

/** One end of a link in memory. */
export class MemoryLink implements Link {
  readonly serial: number;
  readonly candidates: string[] = [];
  readonly #net: MemoryNet;
  readonly #listener: LinkListener;
  #other: MemoryLink | undefined;
  #over = false;
  #buffered = 0;
  #lastDueMs = 0;

  constructor(net: MemoryNet, serial: number, options: LinkOptions, listener: LinkListener) {
    this.#net = net;
    this.serial = serial;
    this.#listener = listener;
    if (options.initiator) this.#later(() => this.#describe("offer"));
  }

  get isOver(): boolean {
    return this.#over;
  }

  get bufferedBytes(): number {
    return this.#buffered;
  }

  get fingerprints(): LinkFingerprints | undefined {
    return this.#other && { local: `of ${this.serial}`, remote: `of ${this.#other.serial}` };
  }

  signal(step: Negotiation): void {
    if (this.#over) return;
    if (step.kind === "candidate") {
      this.candidates.push(step.candidate);
      return;
    }
    if (step.kind === "relay") return this.fail("not a step of this link");
    this.#other = this.#net.links[Number(step.sdp)];
    if (step.type === "offer") this.#later(() => this.#describe("answer"));
    else this.#meet();
  }

  send(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    const copy = bytes.slice();
    this.#buffered += copy.length;
    this.#lastDueMs = Math.max(this.#net.clock.now() + 1, this.#net.slow ? this.#lastDueMs + 1 : 0);
    this.#net.clock.after(this.#lastDueMs - this.#net.clock.now(), () => {
      this.#buffered -= copy.length;
      this.#other?.receive(copy);
      if (!this.#over && this.#buffered === 0) this.#listener.drained();
    });
    return true;
  }

  sendLossy(bytes: Uint8Array): boolean {
    if (this.#over || !this.#net.lossyLanes) return false;
    const copy = bytes.slice();
    this.#net.lossySent += 1;
    if (!this.#net.losing) this.#net.clock.after(1, () => this.#other?.receiveLossy(copy));
    return true;
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#net.counts.open -= 1;
    const other = this.#other;
    // What was sent arrives first.
    this.#net.clock.after(Math.max(1, this.#lastDueMs - this.#net.clock.now()) + 1, () => other?.fail("the other side closed"));
  }

  receive(bytes: Uint8Array): void {
    if (!this.#over) this.#listener.message(bytes);
  }

  receiveLossy(bytes: Uint8Array): void {
    if (!this.#over) this.#listener.lossy(bytes);
  }

  /** Ends this end as the network would. */
  fail(reason: string, kind: "no-path" | "lost" = "lost"): void {
    if (this.#over) return;
    this.#over = true;
    this.#net.counts.open -= 1;
    this.#listener.closed({ kind, cause: new Error(reason) });
  }

  /** Tells that ICE lost or found contact. */
  unsteady(unsteady: boolean): void {
    this.#listener.unsteady(unsteady);
  }

  #describe(type: "offer" | "answer"): void {
    if (this.#over) return;
    // Trickled candidates come after their description here; tests reorder what crosses signaling.
    this.#listener.negotiate({ kind: "description", type, sdp: String(this.serial) });
    this.#listener.negotiate({ kind: "candidate", candidate: `of ${this.serial}`, sdpMid: null, sdpMLineIndex: 0 });
    if (type === "answer" && !this.#net.paths) this.#later(() => this.fail("no way", "no-path"));
  }

  #meet(): void {
    const other = this.#other;
    if (other === undefined) return;
    other.#other = this;
    if (!this.#net.paths) return this.#later(() => this.fail("no way", "no-path"));
    this.#later(() => other.#opened());
    this.#later(() => this.#opened());
  }

  #opened(): void {
    if (!this.#over) this.#listener.open();
  }

  #later(then: () => void): void {
    this.#net.clock.after(1, then);
  }
}
