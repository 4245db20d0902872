// Who is where, as the processes of a core tell each other, in whatever order they hear it: without sockets and without groups.
import fc from "fast-check";
import { expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { CORE_PEERS_MAX, corePeerId } from "../seam/index.ts";
import { CoreHub, type CoreClient, type CoreLink } from "./core-hub.ts";
import { decodeCoreLinkFrame } from "./core-link-frame.ts";
import { DEFAULT_CORE_LIMITS } from "./limits.ts";
import { newCounts } from "./metrics.ts";

const ROOM = "a room";
const ann = peerId("ann");

/** Processes whose words to each other arrive when the test says so. */
class Hubs {
  readonly cores: readonly PeerId[];
  readonly hubs: readonly CoreHub[];
  readonly clocks: number[];
  readonly open: { readonly at: number; readonly order: number }[] = [];
  readonly #links: readonly (readonly CoreLink[])[];
  readonly #ways = new Map<string, Uint8Array[]>();
  readonly #up = new Set<string>();
  #order = 0;

  constructor(size: number, clocks: readonly number[] = []) {
    this.cores = Array.from({ length: size }, (_, at) => corePeerId(String.fromCharCode(97 + at)));
    this.clocks = this.cores.map((_, at) => clocks[at] ?? 1_000);
    this.hubs = this.cores.map((self, at) => new CoreHub({ self, limits: DEFAULT_CORE_LIMITS, counts: newCounts(), onRoom: () => {}, onWord: () => {}, onLink: () => {}, now: () => this.clocks[at]! }));
    this.#links = this.cores.map((_, from) => this.cores.map((core, to) => ({ core, send: (bytes) => void this.#ways.get(`${from}${to}`)?.push(bytes.slice()) })));
    for (const [from] of this.cores.entries()) for (const [to] of this.cores.entries()) if (from < to) this.link(from, to);
  }

  link(one: number, other: number): void {
    if (one === other || this.#up.has(`${one}${other}`)) return;
    for (const [from, to] of [[one, other], [other, one]] as const) {
      this.#up.add(`${from}${to}`);
      this.#ways.set(`${from}${to}`, []);
    }
    this.hubs[one]!.linkUp(this.#links[one]![other]!);
    this.hubs[other]!.linkUp(this.#links[other]![one]!);
  }

  cut(one: number, other: number): void {
    for (const [from, to] of [[one, other], [other, one]] as const) {
      if (!this.#up.delete(`${from}${to}`)) continue;
      this.#ways.delete(`${from}${to}`);
      this.hubs[from]!.linkDown(this.#links[from]![to]!);
    }
  }

  /** One word arrives; false when none was on its way. */
  hear(from: number, to: number): boolean {
    const bytes = this.#ways.get(`${from}${to}`)?.shift();
    if (bytes !== undefined) this.hubs[to]!.hear(this.#links[to]![from]!, decodeCoreLinkFrame(bytes));
    return bytes !== undefined;
  }

  hearAll(): void {
    const pairs = this.cores.flatMap((_, from) => this.cores.map((__, to) => [from, to] as const));
    while (pairs.some(([from, to]) => this.hear(from, to)));
  }

  join(at: number, peer: PeerId = ann): void {
    this.#order += 1;
    const entry = { at, order: this.#order };
    const leave = (): void => void (this.open.includes(entry) && this.open.splice(this.open.indexOf(entry), 1));
    const client: CoreClient = { room: ROOM, peer, send: () => {}, close: leave };
    expect(this.hubs[at]!.join(client, (peers) => ({ kind: "welcome", core: this.cores[at]!, cores: this.cores, window: "fresh", token: new Uint8Array(), peers }))).toBeUndefined();
    this.open.push(entry);
  }
}

test("[CO10] of connections of one peer that nobody had heard of when they came, exactly one is left, at the same process for all", () => {
  const hubs = new Hubs(3);
  for (const at of [0, 1, 2]) hubs.join(at);
  hubs.hearAll();
  expect(hubs.open).toHaveLength(1);
  expect(hubs.hubs.map((hub) => hub.peersIn(ROOM))).toEqual([[ann], [ann], [ann]]);
});

test("[CO10] the newer connection is left wherever one was heard of before, whatever the clocks of the processes show", () => {
  const hubs = new Hubs(3, [5_000_000, 10, 700_000]);
  for (const at of [0, 1, 2, 1, 1, 0, 2, 1]) {
    hubs.join(at);
    hubs.hearAll();
    expect(hubs.open).toEqual([{ at, order: expect.any(Number) }]);
  }
});

test("[CO10] however connections, words and links come and go, in the end one connection is left, and everybody knows where", () => {
  const place = fc.nat(2);
  const step = fc.oneof(
    fc.record({ what: fc.constant("join" as const), one: place, other: place }),
    fc.record({ what: fc.constant("hear" as const), one: place, other: place }),
    fc.record({ what: fc.constantFrom("cut" as const, "link" as const), one: place, other: place }),
    fc.record({ what: fc.constant("clock" as const), one: place, other: fc.integer({ min: 0, max: 2 }) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.array(fc.nat(3_000), { minLength: 3, maxLength: 3 }), (steps, clocks) => {
    const hubs = new Hubs(3, clocks);
    hubs.join(0);
    for (const { what, one, other } of steps) {
      if (what === "join") hubs.join(one);
      else if (what === "hear") hubs.hear(one, other);
      else if (what === "cut") hubs.cut(one, other);
      else if (what === "link") hubs.link(one, other);
      else hubs.clocks[one]! += other;
    }
    for (const [one, other] of [[0, 1], [0, 2], [1, 2]] as const) hubs.link(one, other);
    hubs.hearAll();
    expect(hubs.open).toHaveLength(1);
    expect(hubs.hubs.map((hub) => hub.peersIn(ROOM))).toEqual([[ann], [ann], [ann]]);
  }));
});

test("[CO10] a room holds no more than one message can name, whatever another process says", () => {
  const hubs = new Hubs(2);
  const link = { core: hubs.cores[1]!, send: () => {} };
  hubs.hubs[0]!.linkUp(link);
  for (let from = 0; from < 2; from += 1) hubs.hubs[0]!.hear(link, { kind: "met", room: ROOM, peers: Array.from({ length: CORE_PEERS_MAX }, (_, n) => ({ peer: peerId(`p${from}-${n}`), at: n })) });
  expect(hubs.hubs[0]!.peersIn(ROOM).length).toBe(CORE_PEERS_MAX - 5);
});
