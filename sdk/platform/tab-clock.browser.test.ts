import { expect, test, vi } from "vitest";
import { pageLifecycle, tabClock, type PageLifecycle } from "./index.ts";
import { WorkerAlarms, type AlarmWorker } from "./worker-alarms.ts";

const hidden: PageLifecycle = { isHidden: true, on: () => () => {} };
// Stands for a hidden page's own timers, which may be a minute late.
const never = { now: () => performance.now(), after: () => () => {} };

test("alarms of a real worker go off without the page's own timers, in order, and not when taken back", async () => {
  const clock = tabClock({ main: never, lifecycle: hidden });
  const fired: string[] = [];
  const start = clock.now();
  clock.after(10, () => fired.push("never"))();
  await Promise.all([60, 20, 40].map((ms) => new Promise<void>((resolve) => clock.after(ms, () => {
    expect(clock.now() - start).toBeGreaterThanOrEqual(ms - 1);
    fired.push(String(ms));
    resolve();
  }))));
  expect(fired).toEqual(["20", "40", "60"]);
  clock.close();
});

test("a real page is visible here, and hears its own events", () => {
  const life = pageLifecycle();
  expect(life.isHidden).toBe(document.visibilityState === "hidden");
  const heard: string[] = [];
  const offs = (["visibility", "hide", "show"] as const).map((event) => life.on(event, () => heard.push(event)));
  document.dispatchEvent(new Event("visibilitychange"));
  window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: false }));
  window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  expect(heard).toEqual(["visibility", "hide", "show"]);
  for (const off of offs) off();
});

test("a page whose policy forbids workers keeps its own timers", async () => {
  const frame = document.createElement("iframe");
  frame.srcdoc = `<meta http-equiv="Content-Security-Policy" content="worker-src 'none'"><p>no workers</p>`;
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
  document.body.append(frame);
  await loaded;
  const inside = frame.contentWindow as unknown as { Worker: typeof Worker; Blob: typeof Blob; URL: typeof URL };
  const alarms = new WorkerAlarms(() => new inside.Worker(inside.URL.createObjectURL(new inside.Blob([""]))) as unknown as AlarmWorker);
  const clock = tabClock({ lifecycle: hidden, alarms });
  // Set for later, so that a worker, had it been allowed, would not end for want of work.
  clock.after(60_000, () => {});
  await new Promise<void>((resolve) => clock.after(20, resolve));
  await vi.waitFor(() => expect(alarms.isRunning).toBe(false));
  await new Promise<void>((resolve) => clock.after(20, resolve));
  clock.close();
  frame.remove();
});
