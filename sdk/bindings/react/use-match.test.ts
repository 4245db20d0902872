// @vitest-environment happy-dom
// React itself: StrictMode, changes, unmounting, and rendering on a server.
import { act, createElement, StrictMode, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { sumTable, type Add, type Sum } from "../test-room.ts";
import { useMatch, type MatchLike } from "./index.ts";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

let renders = 0;
function Board({ source }: { readonly source: MatchLike<Sum, Add> }): ReactElement {
  const { phase, state, pending, players, match } = useMatch(source);
  renders += 1;
  return createElement("button", { onClick: () => void match?.play({ by: 2 }) }, `${phase} ${state?.sum ?? "-"} ${pending.length} ${players.length}`);
}

test("[BI6] a component in StrictMode opens a lazy match once, shows moves at once, and leaves it when it goes", async () => {
  const { table, lazy, opened, mine, gone } = await sumTable();
  const page = document.body.appendChild(document.createElement("main"));
  const root = createRoot(page);
  await act(() => Promise.resolve(root.render(createElement(StrictMode, null, createElement(Board, { source: lazy })))));
  expect([page.textContent, opened()]).toEqual(["open 0 0 2", 1]);
  act(() => page.querySelector("button")!.click());
  expect(page.textContent).toBe("open 2 1 2");
  await act(() => table.until(() => mine.pending.get().length === 0));
  expect(page.textContent).toBe("open 2 0 2");
  await act(() => table.player(1).play({ by: 5 }).then(() => table.settled()));
  expect(page.textContent).toBe("open 7 0 2");
  act(() => root.unmount());
  await gone();
});

test("[BI6] an open match is shown as it is, drawn again only when it changes, and not left", async () => {
  const { table, mine } = await sumTable();
  const page = document.createElement("main");
  const root = createRoot(page);
  act(() => root.render(createElement(Board, { source: mine })));
  expect(page.textContent).toBe("open 0 0 2");
  renders = 0;
  await act(() => table.player(1).play({ by: 3 }).then(() => table.settled()));
  expect(page.textContent).toBe("open 3 0 2");
  expect(renders).toBeGreaterThan(0);
  const before = renders;
  await act(() => Promise.resolve());
  expect(renders).toBe(before);
  act(() => root.unmount());
  await table.close();
});

test("[BI7] on a server it renders as it stands, and opens nothing", async () => {
  const { table, lazy, opened } = await sumTable();
  expect(renderToString(createElement(Board, { source: lazy }))).toBe("<button>idle - 0 0</button>");
  await Promise.resolve();
  expect(opened()).toBe(0);
  await table.close();
});
