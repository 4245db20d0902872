// Whole matches on seams of one process, in virtual time: the journeys of two and three players.
import { createNanoEvents } from "nanoevents";
import { afterEach, describe, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "./base/index.ts";
import { fencedByteStore, takeStore } from "./durable/index.ts";
import type { Game } from "./game/index.ts";
import { inviteTo, roomFrom, storageNameOf } from "./open-match-room.ts";
import { openMatch, type Match, type MatchOptions } from "./open-match.ts";
import type { PageEvent, PageLifecycle } from "./platform/index.ts";
import { MemoryHub } from "./seam/index.ts";
import { MemoryByteStore, scopedByteStore, StorageQuotaError, StorageUnavailableError, type ByteStore } from "./storage/index.ts";
import { FaultyByteStore } from "./testing/faulty-byte-store.ts";
import { settled, until } from "./testing/turn-clock.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

interface Grid {
  readonly cells: readonly (number | null)[];
  readonly turn: number;
  readonly rounds: number;
}

type Move = { readonly cell: number } | { readonly rematch: true };

const NO_CELLS: Grid["cells"] = Array.from({ length: 9 }, () => null);

/** Marks by seat; whose turn it is goes round the seats. */
const grid: Game<Grid, Move> = {
  name: "grid",
  setup: () => ({ cells: NO_CELLS, turn: 0, rounds: 0 }),
  check: (state, move, { player }) => {
    if ("rematch" in move) return undefined;
    if (state.turn !== player) return "not your turn";
    return state.cells[move.cell] === null ? undefined : "taken";
  },
  apply: (state, move, { player, seats }) => {
    if ("rematch" in move) return { cells: NO_CELLS, turn: 0, rounds: state.rounds + 1 };
    return { ...state, cells: state.cells.map((mark, at) => (at === move.cell ? player : mark)), turn: (state.turn + 1) % seats };
  },
};

/** The same without turns: who comes first in the log has the cell. */
const rush: Game<Grid, Move> = { ...grid, name: "rush", check: (state, move) => ("rematch" in move || state.cells[move.cell] === null ? undefined : "taken") };

type Played = Match<Grid, Move>;
const [ann, bob, cat, dan] = ["ann", "bob", "cat", "dan"].map(peerId) as [PeerId, PeerId, PeerId, PeerId];

class Table {
  readonly clock = new VirtualClock();
  readonly hub: MemoryHub;
  readonly matches: Played[] = [];

  constructor(delayMs = 20) {
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(3), faults: { delayMs } });
  }

  async open(id: PeerId, options: Partial<MatchOptions<Grid, Move>> = {}): Promise<Played> {
    const match = await openMatch<Grid, Move>({ room: "r", game: grid, name: id.toUpperCase(), seam: this.hub.seam(id), clock: this.clock, random: seededRandom(id.length + id.charCodeAt(0)), ...options });
    this.matches.push(match);
    return match;
  }

  get<T>(promise: Promise<T>): Promise<T> {
    return settled(this.clock, promise);
  }

  until(condition: () => boolean, ms?: number): Promise<boolean> {
    return until(this.clock, condition, ms);
  }

  async seated(ids: readonly PeerId[], options: Partial<MatchOptions<Grid, Move>> = {}): Promise<Played[]> {
    const matches: Played[] = [];
    for (const id of ids) matches.push(await this.get(this.open(id, { seats: ids.length, ...options })));
    await this.until(() => matches.every((match) => match.status.get().phase === "live"));
    return matches;
  }
}

let table: Table;
const sit = (delayMs?: number): Table => (table = new Table(delayMs));
const bySeat = (a: number | undefined, b: number | undefined): number => (a ?? -1) - (b ?? -1);
const phases = (matches: readonly Played[]): string[] => matches.map((match) => match.status.get().phase);
const cells = (match: Played): string => match.confirmed.get().cells.map((mark) => (mark === null ? "-" : String(mark))).join("");

afterEach(async () => {
  await table.get(Promise.all(table.matches.map((match) => match.leave())));
  await table.clock.advance(120_000);
  expect(table.clock.pendingTimers).toBe(0);
});

describe("two players", () => {
  test("the first hosts and waits, the second joins, both are live and named", async () => {
    sit();
    const first = await table.get(table.open(ann));
    expect(first.status.get()).toMatchObject({ phase: "waiting", seat: 0, isLeader: true, spectating: false, storage: "memory", selfId: ann });
    expect(first.invite).toEqual({ code: "r", room: "r", url: "#room=r" });
    const second = await table.get(table.open(bob));
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    for (const match of [first, second]) {
      expect(match.players.get().map(({ peer, name, seat, presence }) => [peer, name, seat, presence])).toEqual([[ann, "ANN", 0, "here"], [bob, "BOB", 1, "here"]]);
    }
    expect(await table.until(() => second.status.get().roundTripMs[ann] !== undefined)).toBe(true);
    expect(second.status.get().roundTripMs[ann]).toBeGreaterThanOrEqual(40);
    expect(second.status.get().peers).toEqual([ann, bob]);
  });

  test("a move shows at once, is confirmed by the log, and an illegal one never shows", async () => {
    sit();
    const [first, second] = await table.seated([ann, bob]);
    const outcome = first!.play({ cell: 4 });
    expect(first!.state.get().cells[4]).toBe(0);
    expect(first!.confirmed.get().cells[4]).toBeNull();
    expect(first!.pending.get()).toEqual([{ cell: 4 }]);
    expect(await table.get(outcome)).toMatchObject({ outcome: "committed" });
    expect(first!.pending.get()).toEqual([]);
    expect(await table.get(first!.play({ cell: 5 }))).toMatchObject({ outcome: "rejected", reason: "not your turn" });
    expect(await table.get(second!.play({ cell: 4 }))).toMatchObject({ outcome: "rejected", reason: "taken" });
    expect(await table.get(second!.play({ cell: 0 }))).toMatchObject({ outcome: "committed" });
    expect(await table.until(() => cells(first!) === "1---0----" && cells(second!) === "1---0----")).toBe(true);
  });

  test("both take the same cell at once: exactly one has it, and the other's mark leaves with a reason", async () => {
    sit(50);
    const [first, second] = await table.seated([ann, bob], { game: rush });
    const plays = [first!.play({ cell: 8 }), second!.play({ cell: 8 })];
    expect([first!.state.get().cells[8], second!.state.get().cells[8]]).toEqual([0, 1]);
    const outcomes = await table.get(Promise.all(plays));
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(["committed", "rejected"]);
    expect(outcomes.find(({ outcome }) => outcome === "rejected")).toMatchObject({ reason: "taken" });
    await table.clock.advance(500);
    expect(cells(first!)).toBe(cells(second!));
    expect(first!.state.get()).toEqual(second!.state.get());
  });

  test("[GA80] alone without a quorum, a move shows, can be taken back, and is not there when the others are back", async () => {
    sit();
    const [, second] = await table.seated([ann, bob]);
    table.hub.cut(ann, bob);
    expect(await table.until(() => second!.status.get().leader === undefined)).toBe(true);
    const outcome = second!.play({ rematch: true });
    expect(second!.state.get().rounds).toBe(1);
    expect(second!.undo()).toMatchObject({ undone: true, action: { rematch: true } });
    expect(second!.state.get().rounds).toBe(0);
    expect(second!.pending.get()).toEqual([]);
    expect(await outcome).toMatchObject({ outcome: "rejected", reason: "undone" });
    table.hub.heal();
    expect(await table.until(() => second!.status.get().phase === "live")).toBe(true);
    await table.clock.advance(5_000);
    expect(second!.confirmed.get().rounds).toBe(0);
    expect(second!.undo()).toEqual({ undone: false, reason: "nothing" });
  });

  test("a rematch starts a fresh round for both", async () => {
    sit();
    const [first, second] = await table.seated([ann, bob]);
    await table.get(first!.play({ cell: 0 }));
    await table.get(second!.play({ rematch: true }));
    expect(await table.until(() => first!.state.get().rounds === 1 && second!.state.get().rounds === 1)).toBe(true);
    expect(cells(first!)).toBe("---------");
  });

  test("two that open the same room at the same moment end up in one match", async () => {
    for (const apartMs of [0, 10, 45, 100, 590, 610]) {
      sit(50);
      const opening = [table.open(bob)];
      await table.clock.advance(apartMs);
      opening.push(table.open(ann));
      const matches = await table.get(Promise.all(opening));
      expect(await table.until(() => phases(matches).every((phase) => phase === "live"))).toBe(true);
      expect(matches.map((match) => match.status.get().seat).sort(bySeat)).toEqual([0, 1]);
      await table.get(Promise.all(matches.map((match) => match.leave())));
    }
  });

  test("two lone hosts that meet late become one match, and channels opened before still work", async () => {
    sit();
    table.hub.cut(ann, bob);
    const first = await table.get(table.open(ann));
    const second = await table.get(table.open(bob));
    const heard: string[] = [];
    first.channel("chat").on("frame", (from) => heard.push(from));
    const chat = second.channel("chat");
    expect(phases([first, second])).toEqual(["waiting", "waiting"]);
    table.hub.heal();
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    expect([first.status.get().seat, second.status.get().seat].sort(bySeat)).toEqual([0, 1]);
    chat.broadcast(Uint8Array.of(1));
    await table.clock.advance(100);
    expect(heard).toEqual([bob]);
    const mover = [first, second].find((match) => match.status.get().seat === 0)!;
    expect(await table.get(mover.play({ cell: 1 }))).toMatchObject({ outcome: "committed" });
  });
});

describe("when the host goes", () => {
  test("by leaving, the other moves on at once and the seat is free", async () => {
    sit();
    const [first, second] = await table.seated([ann, bob]);
    await table.get(first!.play({ cell: 0 }));
    await table.until(() => cells(second!) === "0--------");
    const left = table.clock.now();
    void first!.leave();
    expect(first!.status.get()).toMatchObject({ phase: "closed", reason: "left" });
    expect(await table.get(second!.play({ cell: 1 }))).toMatchObject({ outcome: "committed" });
    expect(table.clock.now() - left).toBeLessThan(1_000);
    expect(await table.until(() => second!.status.get().phase === "waiting")).toBe(true);
    const third = await table.get(table.open(cat));
    expect(third.status.get().seat).toBe(0);
    expect(cells(third)).toBe("01-------");
    expect(await table.get(third.play({ cell: 2 }))).toMatchObject({ outcome: "committed" });
  });

  test("by leaving in the middle of a change of voters, whenever that is, the other goes on at once", async () => {
    let waited = 0;
    for (let afterMs = 0; afterMs <= 300; afterMs += 20) {
      sit();
      const [first, second] = [await table.get(table.open(ann, { seats: 4 })), await table.get(table.open(bob))];
      await table.clock.advance(1_000);
      const joining = table.open(cat);
      await table.clock.advance(afterMs);
      const leaving = first.leave();
      if (first.status.get().phase !== "closed") waited += 1;
      expect(await first.play({ cell: 0 })).toMatchObject({ outcome: "rejected", reason: "closed" });
      await table.get(leaving);
      expect(first.status.get()).toMatchObject({ phase: "closed", reason: "left" });
      const left = table.clock.now();
      expect(await table.get(second.play({ rematch: true }))).toMatchObject({ outcome: "committed" });
      expect([afterMs, table.clock.now() - left < 1_000]).toEqual([afterMs, true]);
      await table.get(joining);
      await table.get(Promise.all(table.matches.map((match) => match.leave())));
    }
    expect(waited, "moments in which the vote of who leaves was needed").toBeGreaterThan(0);
  });

  test("by leaving in the middle of a change of voters while the page goes away, everything is said in that very task", async () => {
    sit();
    const page = new Page();
    const first = await table.get(table.open(ann, { seats: 4, page, seam: () => table.hub.seam(ann) }));
    await table.get(table.open(bob));
    await table.clock.advance(1_000);
    const abort = new AbortController();
    const joining = table.open(cat, { signal: abort.signal }).catch(() => undefined);
    const isChanging = (): boolean => first.node.membership.votersOutgoing.length > 0;
    for (let ms = 0; ms < 2_000 && !isChanging(); ms += 5) await table.clock.advance(5);
    expect(isChanging()).toBe(true);
    const leaving = first.leave();
    expect(first.status.get().phase).not.toBe("closed");
    const { sent } = table.hub.counts;
    page.tell("hide");
    expect(table.hub.counts.sent).toBeGreaterThan(sent);
    expect(first.status.get()).toMatchObject({ phase: "closed", reason: "left" });
    await table.get(leaving);
    page.tell("show");
    expect(first.status.get().phase).toBe("closed");
    abort.abort(new Error("enough"));
    await table.get(joining);
  });

  test("by a crash among three, the others elect and go on", async () => {
    sit();
    const matches = await table.seated([ann, bob, cat]);
    await table.get(matches[0]!.play({ cell: 0 }));
    const leader = matches.find((match) => match.status.get().isLeader)!;
    table.hub.kill(leader.status.get().selfId, { noticedAfterMs: 30_000 });
    const others = matches.filter((match) => match !== leader);
    expect(await table.get(others[0]!.play({ rematch: true }))).toMatchObject({ outcome: "committed" });
    expect(await table.until(() => others.every((match) => match.state.get().rounds === 1))).toBe(true);
    const presences = (): string[] => others[0]!.players.get().map(({ presence }) => presence).sort();
    expect(await table.until(() => presences().join(" ") === "away here here")).toBe(true);
    expect(await table.until(() => presences().join(" ") === "gone here here")).toBe(true);
  });

  test("by a crash of two, the other says so and nothing is lost", async () => {
    sit();
    const [first, second] = await table.seated([ann, bob]);
    await table.get(first!.play({ cell: 0 }));
    expect(first!.status.get().isLeader).toBe(true);
    await table.until(() => cells(second!) === "0--------");
    table.hub.kill(ann, { noticedAfterMs: 1_000 });
    expect(await table.until(() => second!.status.get().phase === "no-quorum")).toBe(true);
    expect(cells(second!)).toBe("0--------");
  });

  test("by a crash of the follower of two, the leader goes on after the eviction window", async () => {
    sit();
    const [first] = await table.seated([ann, bob]);
    table.hub.kill(bob, { noticedAfterMs: 1_000 });
    expect(await table.get(first!.play({ cell: 0 }))).toMatchObject({ outcome: "committed" });
    expect(await table.until(() => first!.status.get().phase === "live")).toBe(true);
    expect(first!.players.get()[1]).toMatchObject({ peer: bob, seat: 1, presence: "gone" });
  });
});

describe("more than the seats", () => {
  test("the third one watches by itself and follows every move", async () => {
    sit();
    const [first] = await table.seated([ann, bob]);
    const third = await table.get(table.open(cat));
    expect(third.status.get()).toMatchObject({ spectating: true, seat: undefined });
    expect(await table.get(third.play({ cell: 0 }))).toMatchObject({ outcome: "rejected", reason: "not-seated" });
    await table.get(first!.play({ cell: 3 }));
    expect(await table.until(() => cells(third) === "---0-----")).toBe(true);
    expect(await table.until(() => third.status.get().phase === "live")).toBe(true);
    expect(first!.players.get()).toContainEqual({ peer: cat, name: "CAT", seat: undefined, isSelf: false, isLeader: false, presence: "here" });
  });

  test("who asks only to watch waits for a host and takes no seat", async () => {
    sit();
    const watching = table.open(cat, { spectate: true });
    await table.clock.advance(3_000);
    const first = await table.get(table.open(ann));
    const watcher = await table.get(watching);
    expect(watcher.status.get()).toMatchObject({ spectating: true, phase: "waiting" });
    expect(first.status.get().phase).toBe("waiting");
  });

  test("three players sit in the order they came", async () => {
    sit();
    const matches = await table.seated([cat, ann, bob]);
    expect(matches.map((match) => match.status.get().seat)).toEqual([0, 1, 2]);
    for (const [at, match] of matches.entries()) {
      expect(await table.until(() => match.state.get().turn === at)).toBe(true);
      expect(await table.get(match.play({ cell: at }))).toMatchObject({ outcome: "committed" });
    }
    expect(await table.until(() => matches.every((match) => cells(match) === "012------"))).toBe(true);
  });
});

describe("beside the log", () => {
  test("channels and shared documents have names apart and reach everybody", async () => {
    sit();
    const [first, second] = await table.seated([ann, bob]);
    const heard: string[] = [];
    second!.channel("x").on("frame", (from, bytes) => heard.push(`${from} ${bytes.length}`));
    first!.channel("x").broadcast(Uint8Array.of(1, 2));
    first!.shared("x").getMap("m").set("a", 1);
    second!.shared("x").getMap("m").set("b", 2);
    await table.clock.advance(200);
    expect(heard).toEqual(["ann 2"]);
    expect(first!.shared("x").getMap("m").toJSON()).toEqual({ a: 1, b: 2 });
    expect(second!.shared("x").getMap("m").toJSON()).toEqual({ a: 1, b: 2 });
  });

  test("atoms are assigned only when something is new", async () => {
    sit();
    const [first] = await table.seated([ann, bob]);
    await table.clock.advance(2_000);
    const before = { state: first!.state.get(), players: first!.players.get(), status: first!.status.get() };
    let told = 0;
    first!.players.listen(() => (told += 1));
    first!.state.listen(() => (told += 1));
    await table.clock.advance(5_000);
    expect(told).toBe(0);
    expect(first!.state.get()).toBe(before.state);
    expect(first!.players.get()).toBe(before.players);
  });
});

describe("opening", () => {
  test("a game whose setup throws rejects with what it threw, and leaves the room as it was", async () => {
    sit();
    const seam = table.hub.seam(ann);
    const broken: Game<Grid, Move> = { ...grid, setup: () => { throw new Error("no such board"); } };
    await expect(table.get(openMatch<Grid, Move>({ room: "r", game: broken, seam, clock: table.clock, random: seededRandom(1) }))).rejects.toThrow("no such board");
    expect(seam.state.phase).toBe("torn");
    const [first] = await table.seated([ann, bob]);
    expect(first!.status.get().seat).toBe(0);
  });

  test("an aborted opening, and options that can not work, leave nothing behind", async () => {
    sit();
    const abort = new AbortController();
    const seen: string[] = [];
    const opening = table.open(ann, { signal: abort.signal, onProgress: ({ phase }) => seen.push(phase) });
    abort.abort(new Error("changed my mind"));
    await expect(table.get(opening)).rejects.toThrow("changed my mind");
    expect(seen).toEqual(["connecting", "closed"]);
    await expect(table.open(dan, { seats: 0 })).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(table.open(dan, { room: "a\u0000b" })).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test("a kicked player's match closes with the reason, and play answers", async () => {
    sit();
    const [first, second] = await table.seated([ann, bob]);
    await table.get(first!.kick(bob, "rude"));
    expect(await table.until(() => second!.status.get().phase === "closed")).toBe(true);
    expect(second!.status.get().reason).toContain("rude");
    expect(await second!.play({ cell: 0 })).toEqual({ outcome: "rejected", reason: "closed" });
  });

  test("a room is made up when there is none, with a secret that travels in the link's fragment and in the code", () => {
    const made = roomFrom({}, seededRandom(1));
    expect(made).toEqual({ room: expect.stringMatching(/^[0-9a-z]{8}$/u), key: expect.stringMatching(/^[0-9a-z]{26}$/u) });
    const invite = inviteTo(made);
    expect(invite).toEqual({ code: `${made.room}-${made.key}`, room: made.room, url: `#room=${made.room}&key=${made.key}` });
    for (const room of [invite.code, invite.code.toUpperCase(), invite.url, `https://example.org/play?x=1${invite.url}`, `#room=${invite.code}`]) expect(roomFrom({ room }, seededRandom(2))).toEqual(made);
  });

  test("a room with a name of one's own has the secret it is given, or none", () => {
    expect(inviteTo(roomFrom({ room: "a b&c" }, seededRandom(1)))).toEqual({ code: "a b&c", room: "a b&c", url: "#room=a%20b%26c" });
    const key = "AAAAAAAAAAAAAAAAAAAA_-";
    const named = roomFrom({ room: "our table", key }, seededRandom(1));
    const { code, url } = inviteTo(named);
    expect([code, url]).toEqual([url, `#room=our%20table&key=${key}`]);
    expect(roomFrom({ room: code }, seededRandom(1))).toEqual(named);
    expect(new Set([named, { ...named, key: `${key}x` }, { room: "our table", key: undefined }].map(storageNameOf)).size).toBe(3);
    expect(storageNameOf({ room: "r", key: undefined })).toBe("r");
    for (const wrong of [{ key }, { room: "r", key: "short" }, { room: "" }, { room: "#room=" }, { room: `#room=r&key=short` }]) expect(() => roomFrom(wrong, seededRandom(1))).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });
});

/** A page's life, turned by hand. */
class Page implements PageLifecycle {
  isHidden = false;
  readonly #events = createNanoEvents<Record<PageEvent, () => void>>();

  on(event: PageEvent, listener: () => void): () => void {
    return this.#events.on(event, listener);
  }

  tell(event: PageEvent): void {
    this.#events.emit(event);
  }
}

describe("a page's life", () => {
  /** Two players, the first of whom keeps its log and can go out to the others again. */
  async function withPage(): Promise<{ readonly page: Page; readonly first: Played; readonly second: Played }> {
    const page = new Page();
    const first = await table.get(table.open(ann, { page, seam: () => table.hub.seam(ann), storage: new MemoryByteStore() }));
    const second = await table.get(table.open(bob, { storage: new MemoryByteStore() }));
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    return { page, first, second };
  }

  test("a host whose page goes into the back/forward cache hands over at once, and has its seat when it is shown again", async () => {
    sit();
    const { page, first, second } = await withPage();
    await table.get(first.play({ cell: 4 }));
    const heard: string[] = [];
    first.channel("chat").on("frame", (_, bytes) => heard.push(bytes.join()));
    page.tell("hide");
    page.tell("freeze");
    expect(first.status.get().phase).toBe("reconnecting");
    expect(await table.until(() => second.status.get().isLeader, 500)).toBe(true);
    expect(await table.get(second.play({ cell: 0 }))).toMatchObject({ outcome: "committed" });
    await table.clock.advance(60_000);
    page.tell("resume");
    page.tell("show");
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    expect([first.status.get().seat, second.status.get().seat]).toEqual([0, 1]);
    expect(await table.until(() => cells(first) === "1---0----")).toBe(true);
    second.channel("chat").broadcast(Uint8Array.of(7));
    expect(await table.until(() => heard.join() === "7")).toBe(true);
    expect(await table.get(first.play({ cell: 1 }))).toMatchObject({ outcome: "committed" });
  });

  test("a leader that is frozen hands over at once and follows when it is resumed; a frozen follower is only silent", async () => {
    sit();
    const { page, first, second } = await withPage();
    page.tell("freeze");
    expect(await table.until(() => second.status.get().isLeader, 500)).toBe(true);
    await table.get(second.play({ rematch: true }));
    page.tell("resume");
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    expect(second.status.get().isLeader).toBe(true);
    expect(await table.until(() => first.confirmed.get().rounds === 1)).toBe(true);
    page.tell("freeze");
    await table.clock.advance(1_000);
    expect(phases([first, second])).toEqual(["live", "live"]);
    page.tell("resume");
    expect(await table.get(first.play({ cell: 4 }))).toMatchObject({ outcome: "committed" });
  });

  test("a page that goes away while it opens the room goes on opening it when it is back", async () => {
    sit();
    const page = new Page();
    await table.get(table.open(bob));
    const opening = table.open(ann, { page, seam: () => table.hub.seam(ann) });
    await table.clock.advance(100);
    page.tell("hide");
    await table.clock.advance(5_000);
    page.tell("show");
    const match = await table.get(opening);
    expect(await table.until(() => match.status.get().phase === "live")).toBe(true);
  });

  test("leaving while the page is away leaves nothing behind", async () => {
    sit();
    const { page, first, second } = await withPage();
    page.tell("hide");
    await table.get(first.leave());
    page.tell("show");
    expect(first.status.get()).toMatchObject({ phase: "closed", reason: "left" });
    expect(await table.until(() => second.status.get().isLeader)).toBe(true);
  });
});

/** What the disk of a tab holds at the moment it crashes: the crashed one, which lives on in this process, writes to its own. */
async function crash(id: PeerId, disk: MemoryByteStore): Promise<MemoryByteStore> {
  table.hub.kill(id);
  const kept = new MemoryByteStore();
  await kept.write((await disk.readRange("", "\uffff")).map(([key, value]) => ({ type: "put", key, value })));
  return kept;
}

describe("a match whose host crashed", () => {
  test("goes on as a fork when the other says so, with every confirmed move, and the host joins it when it is back", async () => {
    sit();
    const disks = [new MemoryByteStore(), new MemoryByteStore()];
    const first = await table.get(table.open(ann, { storage: disks[0] }));
    const second = await table.get(table.open(bob, { storage: disks[1] }));
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    await expect(table.get(second.continueWithout())).rejects.toMatchObject({ code: "quorum-present" });
    await table.get(first.play({ cell: 4 }));
    const kept = await crash(ann, disks[0]!);
    expect(await table.until(() => second.status.get().phase === "no-quorum")).toBe(true);
    expect(second.status.get().epoch).toBe(1);
    await table.get(second.continueWithout());
    expect(await table.until(() => second.status.get().phase === "live" && cells(second) === "----0----")).toBe(true);
    expect(second.status.get().epoch).toBe(2);
    expect(await table.get(second.play({ cell: 0 }))).toMatchObject({ outcome: "committed" });
    const again = await table.get(table.open(ann, { storage: kept, random: seededRandom(9) }));
    expect(await table.until(() => phases([again, second]).every((phase) => phase === "live") && cells(again) === "1---0----")).toBe(true);
    expect(again.status.get().epoch).toBe(2);
    expect([again.status.get().seat, second.status.get().seat]).toEqual([0, 1]);
    expect(await table.get(again.play({ cell: 1 }))).toMatchObject({ outcome: "committed" });
  });
});

describe("a match that is kept", () => {
  test("a tab that crashed opens the room again and plays on from its seat, with every move", async () => {
    sit();
    const disk = new MemoryByteStore();
    const first = await table.get(table.open(ann, { storage: disk }));
    const second = await table.get(table.open(bob, { storage: new MemoryByteStore() }));
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    expect(first.status.get()).toMatchObject({ storage: "custom", storageNote: undefined });
    await table.get(first.play({ cell: 4 }));
    const again = await table.get(table.open(ann, { storage: await crash(ann, disk), random: seededRandom(1) }));
    expect(await table.until(() => again.status.get().phase === "live" && [again, second].every((match) => cells(match) === "----0----"))).toBe(true);
    expect(again.status.get().seat).toBe(0);
    await table.get(second.play({ cell: 0 }));
    expect(await table.until(() => cells(again) === "1---0----")).toBe(true);
  });

  test("a tab whose records another one took ends its match, says so, and changes nothing of them", async () => {
    sit();
    const disk = new MemoryByteStore();
    const mine = await takeStore(disk, "ann", "tab 1");
    const reopen = (): Promise<ByteStore> => Promise.resolve(fencedByteStore(disk, "ann", mine.fence));
    const first = await table.get(table.open(ann, { storage: reopen }));
    const second = await table.get(table.open(bob, { storage: new MemoryByteStore() }));
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    await takeStore(disk, "ann", "tab 2");
    const before = await disk.readRange("", "\uffff");
    void first.play({ cell: 4 }).catch(() => {});
    expect(await table.until(() => first.status.get().phase === "closed")).toBe(true);
    expect(first.status.get().reason).toContain("another tab goes on as this player");
    await table.clock.advance(5_000);
    expect(await disk.readRange("", "\uffff")).toEqual(before);
    // Nor by opening the room again with the fence it had.
    const again = await table.get(table.open(ann, { storage: reopen, random: seededRandom(8) }));
    expect(await table.until(() => again.status.get().phase === "closed")).toBe(true);
    expect(again.status.get().reason).toContain("another tab goes on as this player");
    expect(await disk.readRange("", "\uffff")).toEqual(before);
  });

  test("a browser that loses the connection to its storage opens it again, and the match goes on", async () => {
    sit();
    const disk = new MemoryByteStore();
    const opened: FaultyByteStore[] = [];
    const storage = (): Promise<ByteStore> => {
      opened.push(new FaultyByteStore(scopedByteStore(disk, "")));
      return Promise.resolve(opened.at(-1)!);
    };
    const first = await table.get(table.open(ann, { storage }));
    const second = await table.get(table.open(bob, { storage: new MemoryByteStore() }));
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    expect(await table.get(first.play({ cell: 4 }))).toMatchObject({ outcome: "committed" });
    await table.until(() => cells(second) === "----0----");
    opened[0]!.plan = () => ({ type: "refuse", error: new StorageUnavailableError("the connection is lost") });
    expect(await table.get(second.play({ cell: 0 }))).toMatchObject({ outcome: "committed" });
    expect(await table.until(() => opened.length === 2 && first.status.get().storageNote === undefined)).toBe(true);
    expect(await table.until(() => cells(first) === "1---0----")).toBe(true);
    expect(await table.get(first.play({ cell: 1 }))).toMatchObject({ outcome: "committed" });
  });

  test("a tab whose disk is full says so, makes room by a snapshot, and goes on by itself", async () => {
    sit();
    const disk = new FaultyByteStore(new MemoryByteStore());
    const first = await table.get(table.open(ann, { storage: disk, game: rush }));
    const second = await table.get(table.open(bob, { storage: new MemoryByteStore(), game: rush }));
    expect(await table.until(() => phases([first, second]).every((phase) => phase === "live"))).toBe(true);
    for (let cell = 0; cell < 4; cell += 1) await table.get(first.play({ cell }));
    // Until there is less in it: only a batch that deletes part of the log fits.
    disk.plan = (_, ops) => (ops.some(({ type }) => type === "delete-range") ? ((disk.plan = () => undefined), undefined) : { type: "refuse", error: new StorageQuotaError() });
    const notes: (string | undefined)[] = [];
    first.status.listen(({ storageNote }) => notes.push(storageNote));
    expect(await table.get(second.play({ cell: 5 }))).toMatchObject({ outcome: "committed" });
    expect(await table.until(() => first.status.get().storageNote === undefined && cells(first) === cells(second))).toBe(true);
    expect(notes.join()).toContain("no room");
    expect(await table.get(first.play({ cell: 6 }))).toMatchObject({ outcome: "committed" });
  });

  test("a tab comes back to its match, or, asked not to, opens a new one", async () => {
    sit();
    const disk = new MemoryByteStore();
    const first = await table.get(table.open(ann, { storage: disk }));
    await table.get(first.play({ cell: 4 }));
    const kept = await crash(ann, disk);
    const again = await table.get(table.open(ann, { storage: kept, random: seededRandom(2) }));
    expect(await table.until(() => cells(again) === "----0----")).toBe(true);
    const fresh = await table.get(table.open(ann, { storage: await crash(ann, kept), resume: false, random: seededRandom(3) }));
    await table.clock.advance(5_000);
    expect(cells(fresh)).toBe("---------");
  });
});
