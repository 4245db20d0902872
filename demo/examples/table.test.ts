// Twenty lines that test a whole match of one's own game: three tabs, a tab that dies, a move that is not allowed.
import { expect, test } from "vitest";
import { openTable } from "../../sdk/testing/index.ts";
import { ticTacToe } from "../tic-tac-toe.ts";

test("tic-tac-toe goes on when the host's tab dies, and when it comes back", async () => {
  const table = await openTable(ticTacToe, { players: 3, seats: 2 });
  const [host, guest, watcher] = [table.player(0), table.player(1), table.player(2)];
  await host.play({ type: "mark", cell: 4 });
  expect(await host.play({ type: "mark", cell: 5 })).toMatchObject({ outcome: "rejected" });
  host.kill();
  await guest.play({ type: "mark", cell: 0 });
  await host.reload();
  await host.play({ type: "mark", cell: 8 });
  await table.settled();
  expect(watcher.state.board).toEqual([1, null, null, null, 0, null, null, null, 0]);
  await table.close();
});
