// A table of five, whose leader goes away again and again; a renderer that dies among three; who is put out, and who comes late.
import { expect } from "@playwright/test";
import { crashRenderer } from "./own-browser.ts";
import { freshRoom, strangers, tabs, test } from "./pages.ts";
import { Guest, isSet, leaderOf } from "./table.ts";

const NAMES = ["Ana", "Bo", "Cy", "Di", "Eve"];

test("of five tabs the leader is closed four times in a row, and the last one still plays", async ({ context }) => {
  const room = freshRoom();
  let guests = (await tabs(context, NAMES)).map(({ page, name }) => new Guest(page, name));
  for (const guest of guests) await guest.comes(room, { seats: 5 });
  await isSet(guests);
  const said: string[] = [];
  const terms: number[] = [];
  for (let round = 0; ; round += 1) {
    for (const guest of guests) {
      await guest.says(`${guest.name}${round}`);
      said.push(`${await guest.attribute("seat")}:${guest.name}${round}`);
    }
    for (const guest of guests) await guest.sees("words", said.join(" "));
    const leader = await leaderOf(guests);
    terms.push(Number(await leader.attribute("term")));
    if (guests.length === 1) break;
    // Those who are closed in one moment are gone at once: the vote of the one before has been taken out by now.
    await leader.sees("voters", String(guests.length));
    await leader.page.close({ runBeforeUnload: true });
    guests = guests.filter((guest) => guest !== leader);
  }
  expect(terms).toHaveLength(5);
  expect(terms, "each leader has a later term than the one before").toEqual([...new Set(terms)].sort((a, b) => a - b));
  await guests[0]!.sees("phase", "live");
  await guests[0]!.sees("voters", "1");
});

test("of three strangers the host's renderer dies, the others go on, and who comes back has the seat again", async ({ browser }) => {
  const room = freshRoom();
  const guests = (await strangers(browser, NAMES.slice(0, 3))).map(({ page, name }) => new Guest(page, name));
  for (const guest of guests) await guest.comes(room, { seats: 3, signaling: true });
  await isSet(guests);
  await guests[0]!.says("first");
  const host = await leaderOf(guests);
  const others = guests.filter((guest) => guest !== host);
  const [seat, { context }] = [await host.attribute("seat"), { context: host.page.context() }];
  await crashRenderer(host.page);
  await leaderOf(others);
  await others[0]!.says("second");
  for (const guest of others) await guest.sees("words", /:first .*:second$/u);
  const again = new Guest(await context.newPage(), host.name);
  await again.comes(room, { seats: 3, signaling: true });
  await again.sees("seat", seat);
  await again.says("third");
  for (const guest of [again, ...others]) await guest.sees("words", /:first .*:second .*:third$/u);
});

test("who is put out is told why, loses the seat and is not let in again, and the others play on", async ({ browser }) => {
  const room = freshRoom();
  const guests = (await strangers(browser, NAMES.slice(0, 3))).map(({ page, name }) => new Guest(page, name));
  const [ana, bo, cy] = guests as [Guest, Guest, Guest];
  for (const guest of guests) await guest.comes(room, { seats: 3, signaling: true });
  await isSet(guests);
  await cy.says("rude");
  await ana.kicks(cy, "be kind");
  await cy.sees("phase", "closed");
  await cy.sees("reason", /be kind/u);
  for (const guest of [ana, bo]) await guest.sees("voters", /^[12]$/u);
  await bo.says("peace");
  await ana.sees("words", /:rude .*:peace$/u);
  await cy.page.reload();
  // It comes back by what it has stored, and reads in the log what happened.
  await cy.sees("phase", "closed");
  await cy.sees("reason", /be kind/u);
  for (const guest of [ana, bo]) await guest.sees("voters", /^[12]$/u);
  await ana.says("still");
  await bo.sees("words", /:peace .*:still$/u);
});

test("a watcher who comes late sees everything, votes in no decision of a full table, and stays through the changes at it", async ({ browser }) => {
  const room = freshRoom();
  const [ana, bo, cy, eve] = (await strangers(browser, ["Ana", "Bo", "Cy", "Eve"])).map(({ page, name }) => new Guest(page, name)) as [Guest, Guest, Guest, Guest];
  for (const guest of [ana, bo, cy]) await guest.comes(room, { seats: 3, signaling: true });
  await isSet([ana, bo, cy]);
  await ana.says("before");
  await eve.comes(room, { seats: 3, watch: true, signaling: true });
  await eve.sees("spectating", "true");
  await eve.sees("words", /:before$/u);
  for (const guest of [ana, bo, cy, eve]) await guest.sees("voters", "3");
  await cy.page.close({ runBeforeUnload: true });
  await bo.says("after");
  await eve.sees("words", /:before .*:after$/u);
  await eve.sees("seat", "");
});

test("the same people begin another game once both have asked, a watcher with them, and a reload comes back into it", async ({ context }) => {
  const room = freshRoom();
  const [ana, bo, eve] = (await tabs(context, ["Ana", "Bo", "Eve"])).map(({ page, name }) => new Guest(page, name)) as [Guest, Guest, Guest];
  for (const guest of [ana, bo]) await guest.comes(room, { seats: 2 });
  await eve.comes(room, { seats: 2, watch: true });
  await ana.says("old");
  for (const guest of [ana, bo, eve]) await guest.sees("words", /:old$/u);
  const seats = await Promise.all([ana, bo].map((guest) => guest.attribute("seat")));
  const asked = ana.wantsAnother();
  for (const guest of [ana, bo, eve]) await guest.sees("asked", "1");
  await eve.sees("words", /:old$/u);
  await Promise.all([asked, bo.wantsAnother()]);
  for (const guest of [ana, bo, eve]) await guest.sees("game", "2");
  for (const guest of [ana, bo, eve]) await guest.sees("words", "");
  expect(await Promise.all([ana, bo].map((guest) => guest.attribute("seat")))).toEqual(seats);
  await bo.says("new");
  await ana.page.reload();
  for (const guest of [ana, bo, eve]) await guest.sees("words", `${seats[1]}:new`);
  await ana.sees("game", "2");
  await ana.says("back");
  await eve.sees("words", /:new .*:back$/u);
});

test("of five who watch one is fed by another, and goes on seeing everything when the host is closed", async ({ context }) => {
  const room = freshRoom();
  const guests = (await tabs(context, ["Ana", "Bo", "Eve", "Fay", "Gus", "Hal", "Ida"])).map(({ page, name }) => new Guest(page, name));
  const [ana, bo, ...watchers] = guests as [Guest, Guest, ...Guest[]];
  for (const guest of [ana, bo]) await guest.comes(room, { seats: 2 });
  for (const guest of watchers) await guest.comes(room, { seats: 2, watch: true });
  const fed = async (): Promise<number> => (await Promise.all(watchers.map((guest) => guest.attribute("fed")))).filter((is) => is === "true").length;
  await expect.poll(fed, { timeout: 60_000 }).toBe(1);
  await bo.says("before");
  for (const guest of watchers) await guest.sees("words", /:before$/u);
  const host = await leaderOf([ana, bo]);
  await host.page.close({ runBeforeUnload: true });
  await (host === ana ? bo : ana).says("after");
  for (const guest of watchers) await guest.sees("words", /:before .*:after$/u);
});
