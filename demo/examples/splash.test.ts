// Splash: twenty strokes a second from each of four tabs, with cursors beside the log, while the network and the tabs fail.
import { expect, test } from "vitest";
import { below, seededRandom, type PlayOutcome } from "../../sdk/index.ts";
import { openTable, type TestPlayer } from "../../sdk/testing/index.ts";
import { decodeCursor, encodeCursor, SIDE, splash, type Cursor, type Splash, type Stroke } from "./splash.ts";

const PER_SECOND = 20;
const random = seededRandom(20);

/** A tab that paints and points, and remembers what it saw of the others. */
class Painter {
  readonly player: TestPlayer<Splash, Stroke>;
  readonly outcomes: Promise<PlayOutcome | "unknown">[] = [];
  readonly cursors = new Map<string, Cursor>();
  cursorsSent = 0;
  cursorsHeard = 0;
  #cursors: ReturnType<TestPlayer<Splash, Stroke>["match"]["channel"]>;

  constructor(player: TestPlayer<Splash, Stroke>) {
    this.player = player;
    this.#cursors = this.#listen();
  }

  #listen(): ReturnType<TestPlayer<Splash, Stroke>["match"]["channel"]> {
    const channel = this.player.match.channel("cursors");
    channel.on("frame", (from, bytes) => {
      const cursor = decodeCursor(bytes);
      if (cursor === undefined) return;
      this.cursorsHeard += 1;
      this.cursors.set(from, cursor);
    });
    return channel;
  }

  /** After a reload the match is another object. */
  async reload(): Promise<void> {
    await this.player.reload();
    this.#cursors = this.#listen();
  }

  strike(): void {
    const cursor = { x: below(random, SIDE), y: below(random, SIDE) };
    const settled = (error: { readonly settled?: Promise<PlayOutcome> }): Promise<PlayOutcome | "unknown"> => error.settled?.catch(() => "unknown" as const) ?? Promise.reject(error);
    this.outcomes.push(this.player.match.play({ cell: cursor.y * SIDE + cursor.x }).catch(settled));
    this.#cursors.broadcast(encodeCursor(cursor), { lossy: true });
    this.cursorsSent += 1;
  }
}

test("four tabs paint twenty times a second each; every stroke is settled, all boards are alike, and nobody waits for a cursor", async () => {
  const table = await openTable(splash, { players: 4, seed: 8, network: { delayMs: 40, jitterMs: 20 } });
  const painters = table.players.map((player) => new Painter(player));
  let lag = 0;
  for (let beat = 0; beat < 3 * PER_SECOND; beat += 1) {
    for (const painter of painters) painter.strike();
    lag = Math.max(lag, ...painters.map(({ player }) => player.match.pending.get().length));
    await table.advance(1_000 / PER_SECOND);
  }
  const outcomes = await table.get(Promise.all(painters.flatMap((painter) => painter.outcomes)));
  await table.settled();
  expect(outcomes).toHaveLength(4 * 3 * PER_SECOND);
  expect(outcomes.every((outcome) => outcome !== "unknown" && (outcome.outcome === "committed" || outcome.reason === "yours already"))).toBe(true);
  const committed = outcomes.filter((outcome) => outcome !== "unknown" && outcome.outcome === "committed").length;
  expect(table.player(0).confirmed.strokes.reduce((sum, count) => sum + count)).toBe(committed);
  // A commit is two ways to the leader: what is pending is what one can paint in that time, and does not pile up.
  expect(lag).toBeLessThan(PER_SECOND);
  for (const { cursors, cursorsHeard } of painters) {
    expect(cursors.size).toBe(3);
    expect(cursorsHeard).toBeGreaterThan(3 * PER_SECOND * 2);
  }
  await table.close();
}, 60_000);

test("and with lost cursors, a partition, and the leader's tab dying and coming back, no stroke is counted twice", async () => {
  const table = await openTable(splash, { players: 4, seed: 9, rollback: false, network: { delayMs: 30, jitterMs: 40, lossyDrop: 0.3 } });
  const painters = table.players.map((player) => new Painter(player));
  const paint = async (seconds: number, who = painters): Promise<void> => {
    for (let beat = 0; beat < seconds * PER_SECOND; beat += 1) {
      for (const painter of who) painter.strike();
      await table.advance(1_000 / PER_SECOND);
    }
  };
  await paint(1);
  const alone = painters.find(({ player }) => !player.isLeader)!;
  table.partition([painters.indexOf(alone)]);
  await paint(1);
  table.heal();
  await paint(1);
  const { leader } = table;
  const first = painters.find(({ player }) => player === leader)!;
  leader.kill();
  await paint(1, painters.filter((painter) => painter !== first));
  await first.reload();
  await paint(1);
  await table.settled();
  const outcomes = await table.get(Promise.all(painters.flatMap((painter) => painter.outcomes.splice(0))));
  const { strokes, cells } = alone.player.confirmed;
  const committed = outcomes.filter((outcome) => outcome !== "unknown" && outcome.outcome === "committed").length;
  const open = outcomes.filter((outcome) => outcome === "unknown").length;
  const total = strokes.reduce((sum, count) => sum + count);
  // What the dead tab had in flight its next one may have brought in; nobody else's is in doubt.
  expect(total).toBeGreaterThanOrEqual(committed);
  expect(total).toBeLessThanOrEqual(committed + open);
  expect(open).toBeLessThanOrEqual(PER_SECOND);
  expect(cells.filter((cell) => cell !== null).length).toBeGreaterThan(SIDE * SIDE / 2);
  expect(Math.max(...painters.map(({ cursorsHeard }) => cursorsHeard))).toBeGreaterThan(0);
  await table.close();
}, 60_000);
