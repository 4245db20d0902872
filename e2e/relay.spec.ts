// Tabs that go through the relay of the server, some or all of them: the same table, the same words in the same order.
import { test } from "@playwright/test";
import { freshRoom } from "./pages.ts";
import { Guest, isSet } from "./table.ts";

const NAMES = ["ann", "bob", "cy"];

for (const [title, relayed] of [["everybody", [true, true, true]], ["one of three, and with it each of its pairs,", [true, false, false]]] as const) {
  test(`${title} goes through the relay, and all hear every word in one order`, async ({ browser }) => {
    const room = freshRoom();
    const context = await browser.newContext();
    const guests: Guest[] = [];
    for (const [at, name] of NAMES.entries()) {
      const guest = new Guest(await context.newPage(), name);
      await guest.comes(room, { seats: 3, signaling: true, ...(relayed[at] === true ? { relay: "always" } : {}) });
      guests.push(guest);
    }
    await isSet(guests);
    for (const [at, guest] of guests.entries()) await guest.sees("relayed", relayed[0] === relayed[1] || at === 0 ? "2" : "1");
    for (const guest of guests) await guest.says(guest.name);
    for (const guest of guests) await guest.sees("words", "0:ann 1:bob 2:cy");
    await context.close();
  });
}
