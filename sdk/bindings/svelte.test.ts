// @vitest-environment happy-dom
// Svelte itself: a compiled component that reads a match through Svelte's own store contract. No code of ours is needed for it.
import { compile } from "svelte/compiler";
import { expect, test } from "vitest";
import { sumTable } from "./test-room.ts";

const SOURCE = `
<script>
  let { table, state } = $props();
</script>
<button onclick={() => $table.match.play({ by: 2 })}>{$table.phase} {$table.state?.sum ?? "-"} {$table.pending.length} / {$state.sum}</button>`;

/** The component as its compiler makes it, with its one import handed in. */
async function component(): Promise<unknown> {
  const { js } = compile(SOURCE, { generate: "client", filename: "board.svelte" });
  const body = js.code.replace(/import '[^']*';\n/gu, "").replace(/import \* as \$ from '[^']*';/u, "").replace("export default function", "return function");
  const name = "svelte/internal/client";
  const runtime: unknown = await import(/* @vite-ignore */ name);
  // A compiled component is code in a string; a bundler would write it to a file.
  // oxlint-disable-next-line typescript/no-implied-eval
  return Function("$", body.replace(/(return function[\s\S]*?\n\}\n)([\s\S]*)$/u, (_, made: string, after: string) => `${after}\n${made}`))(runtime);
}

interface Mounting {
  mount(component: unknown, options: { readonly target: Element; readonly props: object }): object;
  unmount(app: object): Promise<void>;
  flushSync(): void;
}

test("[BI6] a component opens a lazy match, shows moves at once, reads atoms as they are, and leaves when it goes", async () => {
  // The package's main entry is the server's in Node.
  const path = "../../node_modules/svelte/src/index-client.js";
  const { mount, unmount, flushSync } = (await import(/* @vite-ignore */ path)) as Mounting;
  const { table, lazy, opened, mine, gone } = await sumTable();
  const page = document.body.appendChild(document.createElement("main"));
  const app = mount(await component(), { target: page, props: { table: lazy, state: mine.state } });
  await table.until(() => lazy.get().phase === "open");
  flushSync();
  expect([page.textContent, opened()]).toEqual(["open 0 0 / 0", 1]);
  page.querySelector("button")!.click();
  flushSync();
  expect(page.textContent).toBe("open 2 1 / 2");
  await table.player(1).play({ by: 5 });
  await table.settled();
  flushSync();
  expect(page.textContent).toBe("open 7 0 / 7");
  await unmount(app);
  await gone();
});
