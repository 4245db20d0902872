// Below deck: what the inspector shows is what the tabs have, and what its buttons break stays broken until it is mended, while the others play on.
import { expect, type Locator } from "@playwright/test";
import { addressOf, type Mark, type Player, sitDown, strangers, test } from "./pages.ts";

const inspector = ({ page }: Player): Locator => page.getByTestId("inspector");
const fact = (player: Player, name: string): Locator => inspector(player).locator(`[data-fact="${name}"]`);
const peer = (player: Player, name: string): Locator => inspector(player).locator(`[data-testid="peer"][data-name="${name}"]`);
const attribute = async (player: Player, name: string): Promise<string> => (await player.status.getAttribute(`data-${name}`)) ?? "";

/** Two at the table and one who watches and votes; everybody looks below deck. */
async function threeVoters(players: readonly Player[]): Promise<readonly [Player, Player, Player]> {
  const [ana, bo, cy] = players as [Player, Player, Player];
  const url = await sitDown(addressOf("with-server"), [ana, bo]);
  await cy.accepts(url, "watch");
  for (const player of [ana, bo, cy]) {
    await player.seesPhase("live");
    await player.page.keyboard.press("Alt+KeyI");
    await expect(fact(player, "quorum")).toHaveText("2 of 3");
  }
  return [ana, bo, cy];
}

async function marks(player: Player, cell: number, mark: Mark, seenBy: readonly Player[]): Promise<void> {
  await player.marks(cell);
  await Promise.all(seenBy.map((each) => each.sees(cell, mark)));
}

/** Whoever of these leads, once one does and all of them say so. */
async function leaderAmong(players: readonly Player[]): Promise<Player> {
  let leader: Player | undefined;
  await expect.poll(async () => {
    const [leads, terms] = await Promise.all([Promise.all(players.map((each) => attribute(each, "leads"))), Promise.all(players.map((each) => attribute(each, "term")))]);
    leader = players[leads.indexOf("true")];
    return leads.filter((each) => each === "true").length === 1 && new Set(terms).size === 1;
  }).toBe(true);
  return leader!;
}

test("the inspector is opened by key or button and shows the tabs, their roles and the log as they are", async ({ browser }) => {
  const players = await strangers(browser, ["Ana", "Bo", "Cy"]);
  const [ana, bo, cy] = await threeVoters(players);
  for (const [name, role] of [["Ana", "leader"], ["Bo", "voter"], ["Cy", "voter"]] as const) {
    for (const player of [ana, bo, cy]) await expect(peer(player, name)).toHaveAttribute("data-role", role);
    if (name !== "Ana") await expect(peer(ana, name)).toContainText(/votes · linked\s*\d+(\.\d)? ms/u);
  }
  await marks(ana, 4, "x", [ana, bo, cy]);
  await marks(bo, 0, "o", [ana, bo, cy]);
  const [commit, term] = [await attribute(ana, "commit-index"), await attribute(ana, "term")];
  for (const player of [ana, bo, cy]) {
    await expect(fact(player, "commit")).toHaveText(commit);
    await expect(fact(player, "applied")).toHaveText(commit);
    await expect(fact(player, "term")).toHaveText(term);
    await expect(fact(player, "pending")).toHaveText("0");
    await expect(fact(player, "storage")).toHaveText("indexeddb");
    const entries = player.page.getByTestId("inspector-log").getByRole("listitem");
    await expect(entries.first()).toHaveAttribute("data-index", commit);
    await expect(entries.first()).toHaveText(`${commit}term ${term}Bo: marks top left`);
    await expect(entries.nth(1)).toHaveText(`${Number(commit) - 1}term ${term}Ana: marks centre`);
  }
  await ana.page.keyboard.press("Alt+KeyI");
  await expect(inspector(ana)).toBeHidden();
  await ana.page.getByRole("button", { name: "Inspector" }).click();
  await expect(inspector(ana)).toBeVisible();
});

test("a leader that is cut off is followed by another, and has missed nothing when it is mended; so has one that was frozen", async ({ browser }) => {
  const players = await strangers(browser, ["Ana", "Bo", "Cy"]);
  const [ana, bo, cy] = await threeVoters(players);
  await marks(ana, 4, "x", [bo, cy]);
  await expect(ana.status).toHaveAttribute("data-leads", "true");
  await peer(ana, "Bo").getByRole("button", { name: "Cut the link to Bo" }).click();
  await expect(peer(ana, "Bo")).toHaveAttribute("data-cut", "true");
  await ana.page.getByTestId("cut-all").click();
  await expect(ana.page.getByTestId("cut-all")).toHaveText("Mend all links");
  const next = await leaderAmong([bo, cy]);
  await marks(bo, 0, "o", [bo, cy]);
  expect(await ana.draws()).toBe("....x....");
  await ana.page.getByTestId("cut-all").click();
  await ana.sees(0, "o");
  await expect(peer(ana, "Bo")).toHaveAttribute("data-cut", "false");
  await expect.poll(() => attribute(ana, "term")).toBe(await attribute(next, "term"));

  // Whoever leads now stands still; the two others are a majority without it.
  const others = [ana, bo, cy].filter((player) => player !== next);
  await next.page.getByTestId("freeze").click();
  await expect(next.page.getByTestId("still")).toContainText("This tab stands still");
  await leaderAmong(others);
  await marks(ana, 8, "x", others);
  await next.page.getByTestId("still-end").evaluate((button: HTMLButtonElement) => button.click());
  await expect(next.page.getByTestId("still")).toBeHidden();
  await next.sees(8, "x");
  await marks(bo, 2, "o", [ana, bo, cy]);
});

test("the game goes on when the leader's node is killed, and its tab comes back to its seat and to everything agreed on", async ({ browser }) => {
  const players = await strangers(browser, ["Ana", "Bo", "Cy"]);
  const [ana, bo, cy] = await threeVoters(players);
  await marks(ana, 4, "x", [bo, cy]);
  await expect(ana.status).toHaveAttribute("data-leads", "true");
  await ana.page.getByTestId("kill").click();
  await expect(ana.page.getByTestId("still")).toContainText("dead");
  await leaderAmong([bo, cy]);
  // Nobody was told: who says goodbye has left.
  await expect(bo.story).toContainText("Ana went quiet");
  await expect(bo.story).not.toContainText("Ana left");
  await marks(bo, 0, "o", [bo, cy]);
  expect(await ana.draws()).toBe("....x....");
  await ana.page.getByRole("button", { name: "Come back" }).click();
  await ana.sees(0, "o");
  await expect(ana.status).toHaveAttribute("data-seat", "0");
  await marks(ana, 8, "x", [ana, bo, cy]);
});
