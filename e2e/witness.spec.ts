// Two strangers with a witness at the bundled server: the renderer of either dies without a word, and the other plays on, without being asked anything.
import { type ChildProcess, spawn } from "node:child_process";
import { expect } from "@playwright/test";
import { crashRenderer, dropProfile, newProfile, OwnBrowser } from "./own-browser.ts";
import { Player, playOut, sitDown, test, watched } from "./pages.ts";

interface Server {
  readonly url: string;
  stop(): void;
}

/** The bundled server with a witness, which the one of the other journeys has not. */
async function serverWithWitness(): Promise<Server> {
  const server: ChildProcess = spawn(process.execPath, ["dist/server-cli.js", "--port", "0", "--witness"], { stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise<string>((done, fail) => {
    let said = "";
    server.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const [found] = /http:\/\/\S+/.exec(said) ?? [];
      if (found !== undefined) done(found);
    });
    server.once("exit", (code) => fail(new Error(`the server ended with ${String(code)}`)));
  });
  return { url, stop: () => void server.kill("SIGTERM") };
}

/** How many witnesses are voters of a group by now. */
async function voting(server: Server): Promise<number> {
  const [, count] = /^flotilla_witnesses_voting (\d+)$/m.exec(await (await fetch(`${server.url}/metrics`)).text()) ?? [];
  return Number(count);
}

interface Table {
  readonly server: Server;
  readonly first: OwnBrowser;
  readonly second: OwnBrowser;
  readonly url: string;
  readonly ana: Player;
  readonly bo: Player;
  /** What the status bar of the one who stays has shown since both made a move. */
  readonly phases: string[];
}

/** Ana hosts in one browser, Bo came in another, a witness votes, and each has made a move. */
async function atTable(stays: "ana" | "bo", play: (table: Table) => Promise<void>): Promise<void> {
  const server = await serverWithWitness();
  const profiles = [await newProfile(), await newProfile()];
  const [first, second] = [await OwnBrowser.launch(profiles[0]!), await OwnBrowser.launch(profiles[1]!)];
  try {
    const ana = new Player(watched(await first.tab()), "Ana");
    const bo = new Player(watched(await second.tab()), "Bo");
    const phases = await told(stays === "ana" ? ana : bo);
    const url = await sitDown(server.url, [ana, bo]);
    await expect(ana.status).toHaveAttribute("data-leads", "true");
    await expect.poll(() => voting(server)).toBe(1);
    await playOut([ana, bo], [4, 0]);
    phases.length = 0;
    await play({ server, first, second, url, ana, bo, phases });
  } finally {
    server.stop();
    await Promise.all([first.close(), second.close()]);
    await Promise.all(profiles.map(dropProfile));
  }
}

test("the host's tab crashes, and with a witness the other goes on without waiting, and sits in the same match when the host is back", async () => {
  await atTable("bo", async ({ server, first, url, ana, bo, phases }) => {
    await crashRenderer(ana.page);
    await expect(bo.status).toHaveAttribute("data-leads", "true");
    await bo.seesPhase("live");
    await bo.sees(4, "x");
    // Nobody was asked whether to go on alone, and the group is Bo's now.
    await expect.poll(() => voting(server)).toBe(0);
    expect(phases).not.toContain("no-quorum");
    const again = new Player(watched(await first.tab()), "Ana");
    await again.accepts(url);
    await again.seesPhase("live");
    await expect.poll(() => voting(server)).toBe(1);
    await playOut([again, bo], [8, 2]);
  });
});

test("the guest's tab crashes, and with a witness the host's next mark is agreed on at once, long before the guest counts as gone", async () => {
  await atTable("ana", async ({ server, second, url, ana, bo, phases }) => {
    await crashRenderer(bo.page);
    await ana.marks(8);
    await ana.sees(8, "x");
    // Agreed on by the two that are left: the guest still votes, and nobody stopped leading.
    expect(await voting(server)).toBe(1);
    expect(phases.filter((phase) => phase !== "live")).toEqual([]);
    // Later the guest's vote goes, and the witness's with it; its seat stays.
    await expect.poll(() => voting(server), { timeout: 30_000 }).toBe(0);
    await ana.seesPhase("live");
    const again = new Player(watched(await second.tab()), "Bo");
    await again.accepts(url);
    await again.sees(8, "x");
    await expect(again.status).toHaveAttribute("data-seat", "1");
    await expect.poll(() => voting(server), { timeout: 30_000 }).toBe(1);
    await playOut([again, ana], [2, 6], { marks: ["o", "x"] });
  });
});

/** Every phase the player's status bar shows from now on, in order. */
async function told({ page }: Player): Promise<string[]> {
  const phases: string[] = [];
  await page.exposeFunction("tellPhase", (phase: string) => phases.push(phase));
  await page.addInitScript(() => {
    const tell = (globalThis as unknown as { tellPhase: (phase: string) => void }).tellPhase;
    new MutationObserver((changes) => {
      for (const { target } of changes) if (target instanceof HTMLElement && target.dataset["phase"] !== undefined) tell(target.dataset["phase"]);
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-phase"] });
  });
  return phases;
}
