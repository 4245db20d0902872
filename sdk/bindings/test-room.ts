// A game and a table of real matches for the tests of the bindings.
import { lazyMatch, type LazyMatch } from "./lazy-match.ts";
import type { Game, Match } from "../index.ts";
import { openTable, type TestTable } from "../testing/index.ts";

/** What is added up. */
export interface Sum {
  readonly sum: number;
}
/** Adds. */
export interface Add {
  readonly by: number;
}

/** A sum anybody may add to. */
export const sumGame: Game<Sum, Add> = { name: "sum", setup: () => ({ sum: 0 }), apply: (state, { by }) => ({ sum: state.sum + by }) };

/** Two players, and a lazy match that hands out the first one's. */
export async function sumTable(): Promise<{ readonly table: TestTable<Sum, Add>; readonly mine: Match<Sum, Add>; readonly lazy: LazyMatch<Sum, Add>; readonly opened: () => number; readonly gone: () => Promise<void> }> {
  const table = await openTable(sumGame);
  const mine = table.player(0).match;
  let opened = 0;
  const lazy = lazyMatch<Sum, Add>(() => {
    opened += 1;
    return Promise.resolve(mine);
  }, { lingerMs: 0 });
  // It lingers for a moment of real time, then leaves in the table's.
  const gone = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve));
    await table.until(() => mine.status.get().phase === "closed");
    await table.close();
  };
  return { table, mine, lazy, opened: () => opened, gone };
}
