import { expect, test } from "vitest";
import { pageLifecycle, type PageEvent, type PageTarget } from "./index.ts";

class FakeDocument extends EventTarget {
  visibilityState: "visible" | "hidden" = "visible";
}

function fakePage(): { document: FakeDocument; window: EventTarget; target: PageTarget } {
  const document = new FakeDocument();
  const window = new EventTarget();
  return { document, window, target: { document, window } as unknown as PageTarget };
}

const ALL: readonly PageEvent[] = ["visibility", "freeze", "resume", "hide", "show"];

test("what happens to a page is told once, to those who listen for it", () => {
  const { document, window, target } = fakePage();
  const life = pageLifecycle(target);
  const heard: string[] = [];
  const offs = ALL.map((event) => life.on(event, () => heard.push(event)));
  document.visibilityState = "hidden";
  document.dispatchEvent(new Event("visibilitychange"));
  expect(life.isHidden).toBe(true);
  document.dispatchEvent(new Event("freeze"));
  document.dispatchEvent(new Event("resume"));
  document.visibilityState = "visible";
  document.dispatchEvent(new Event("visibilitychange"));
  expect(life.isHidden).toBe(false);
  window.dispatchEvent(new Event("pagehide"));
  expect(heard).toEqual(["visibility", "freeze", "resume", "visibility", "hide"]);
  for (const off of offs) off();
  document.dispatchEvent(new Event("freeze"));
  window.dispatchEvent(new Event("pagehide"));
  expect(heard).toHaveLength(5);
});

test("a page is shown again only when it comes out of the back/forward cache", () => {
  const { window, target } = fakePage();
  let shown = 0;
  pageLifecycle(target).on("show", () => { shown += 1; });
  window.dispatchEvent(new Event("pageshow"));
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
  expect(shown).toBe(0);
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  expect(shown).toBe(1);
});

test("where there is no page it is visible for ever and listening is harmless", () => {
  const life = pageLifecycle();
  expect(life.isHidden).toBe(false);
  for (const event of ALL) life.on(event, () => {})();
});
