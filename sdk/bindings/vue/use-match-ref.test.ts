// @vitest-environment happy-dom
// Vue itself: a component, a scope of one's own, and rendering on a server.
import { expect, test } from "vitest";
import { createApp, createSSRApp, defineComponent, effectScope, h, nextTick } from "vue";
import { renderToString } from "vue/server-renderer";
import { sumTable, type Add, type Sum } from "../test-room.ts";
import { useMatchRef, type MatchLike } from "./index.ts";

const board = (source: MatchLike<Sum, Add>): ReturnType<typeof defineComponent> =>
  defineComponent({
    setup: () => {
      const view = useMatchRef(source);
      return () => h("button", { onClick: () => void view.value.match?.play({ by: 2 }) }, `${view.value.phase} ${view.value.state?.sum ?? "-"} ${view.value.pending.length}`);
    },
  });

test("[BI6] a component opens a lazy match, shows moves at once, and leaves it when it goes", async () => {
  const { table, lazy, opened, gone } = await sumTable();
  const page = document.createElement("main");
  const app = createApp(board(lazy));
  app.mount(page);
  await table.until(() => lazy.get().phase === "open");
  await nextTick();
  expect([page.textContent, opened()]).toEqual(["open 0 0", 1]);
  page.querySelector("button")!.click();
  await nextTick();
  expect(page.textContent).toBe("open 2 1");
  await table.player(1).play({ by: 5 });
  await table.settled();
  await nextTick();
  expect(page.textContent).toBe("open 7 0");
  app.unmount();
  await gone();
});

test("[BI6] outside of components it lasts as long as its scope", async () => {
  const { table, mine } = await sumTable();
  const scope = effectScope();
  const view = scope.run(() => useMatchRef(mine))!;
  await table.player(1).play({ by: 1 });
  await table.settled();
  expect(view.value.state).toEqual({ sum: 1 });
  scope.stop();
  await table.player(1).play({ by: 1 });
  await table.settled();
  expect(view.value.state).toEqual({ sum: 1 });
  await table.close();
});

test("[BI7] on a server it renders as it stands, and opens nothing", async () => {
  const { table, lazy, opened } = await sumTable();
  expect(await renderToString(createSSRApp(board(lazy)))).toBe("<button>idle - 0</button>");
  expect(opened()).toBe(0);
  await table.close();
});
