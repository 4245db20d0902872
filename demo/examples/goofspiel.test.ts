// Goofspiel: hidden cards, a player that will not turn its card over, and a tab that dies with its card on the table.
import { describe, expect, test } from "vitest";
import { seal, seededRandom, type Opening } from "../../sdk/index.ts";
import { openTable, type TestPlayer } from "../../sdk/testing/index.ts";
import { CARDS, goofspiel, isTurning, ROUND_MS, sealContext, type Goofspiel, type GoofspielAction } from "./goofspiel.ts";

type Player = TestPlayer<Goofspiel, GoofspielAction>;
const random = seededRandom(12);

/** Lays a card and gives what opens it: a page would keep that in its storage. */
async function lay(player: Player, card: number): Promise<Opening<number>> {
  const { commitment, open } = seal(card, sealContext(player.status.seat!, player.state.round), random);
  expect(await player.play({ type: "lay", commitment })).toMatchObject({ outcome: "committed" });
  return open;
}

test("a whole game: nobody sees a card before all are laid, the highest takes the prize", async () => {
  const table = await openTable(goofspiel, { players: 3, seats: 2, seed: 2 });
  const [first, second] = [table.player(0), table.player(1)];
  for (let round = 1; round <= CARDS; round += 1) {
    const mine = await lay(first, round);
    expect(await first.play({ type: "turn", open: mine })).toMatchObject({ outcome: "rejected", reason: "not everybody has laid a card" });
    const theirs = await lay(second, CARDS + 1 - round);
    await table.settled();
    // All that is in the log, on anybody's disk and on the wire of this round.
    expect(JSON.stringify(table.player(2).confirmed.laid)).toMatch(/^\[\{"commitment":"[0-9a-f]{64}","card":null\},\{"commitment":"[0-9a-f]{64}","card":null\}\]$/);
    await first.play({ type: "turn", open: mine });
    await second.play({ type: "turn", open: theirs });
  }
  await table.settled();
  expect(table.player(2).confirmed).toMatchObject({ round: CARDS + 1, history: [[1, 5], [2, 4], [3, 3], [4, 2], [5, 1]], scores: [9, 3] });
  await table.close();
});

describe("who cheats", () => {
  test("can not turn over another card than it laid, nor pass the other's card off as its own", async () => {
    const table = await openTable(goofspiel, { seed: 3 });
    const [first, second] = [table.player(0), table.player(1)];
    const mine = await lay(first, 2);
    // The copy of a commitment is legal to lay, and can never be opened by the other seat.
    expect(await second.play({ type: "lay", commitment: first.confirmed.laid[0]!.commitment })).toMatchObject({ outcome: "committed" });
    expect(await first.play({ type: "turn", open: { ...mine, value: 5 } })).toMatchObject({ outcome: "rejected", reason: "that is not the card you laid" });
    expect(await first.play({ type: "turn", open: mine })).toMatchObject({ outcome: "committed" });
    expect(await second.play({ type: "turn", open: mine })).toMatchObject({ outcome: "rejected", reason: "that is not the card you laid" });
    await table.advance(ROUND_MS + 1_000);
    await table.settled();
    expect(first.confirmed).toMatchObject({ round: 2, scores: [1, 0], history: [[2, null]], hands: [[1, 3, 4, 5], [2, 3, 4, 5]] });
    await table.close();
  });

  test("and does not like what it sees loses the round by the log's time, once, while the leader's tab dies", async () => {
    const table = await openTable(goofspiel, { players: 3, seed: 4 });
    const cards = await Promise.all([lay(table.player(0), 3), lay(table.player(1), 5), lay(table.player(2), 1)].map((laying) => laying));
    expect(isTurning(table.player(0).confirmed)).toBe(true);
    await table.player(0).play({ type: "turn", open: cards[0]! });
    await table.player(2).play({ type: "turn", open: cards[2]! });
    await table.advance(ROUND_MS - 3_000);
    const { leader } = table;
    leader.kill();
    const others = table.players.filter(({ isAlive }) => isAlive);
    await table.until(() => others.every(({ confirmed }) => confirmed.round === 2));
    await table.advance(3_000);
    await table.settled();
    expect(others[0]!.confirmed).toMatchObject({ round: 2, history: [[3, null, 1]], scores: [1, 0, 0] });
    await table.close();
  });
});

test("a tab that died with its card on the table turns it over when it is back, on a slow and uneven network", async () => {
  const table = await openTable(goofspiel, { players: 3, seed: 5, network: { delayMs: 60, jitterMs: 80 } });
  const opens = [await lay(table.player(0), 5), await lay(table.player(1), 4), await lay(table.player(2), 3)];
  await table.player(1).reload();
  for (const at of [2, 1, 0]) await table.player(at).play({ type: "turn", open: opens[at]! });
  await table.settled();
  expect(table.player(1).confirmed).toMatchObject({ round: 2, history: [[5, 4, 3]], scores: [1, 0, 0] });
  await table.close();
});
