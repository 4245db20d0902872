// Commits per second and latency with durable logs, beside the bare network round and the bare disk in the same rounds.
import type { Page } from "playwright";
import type { DiskKind, GroupKind } from "./durable-page.ts";
import { ask, openDurableTabs, type DurableStage } from "./durable-stage.ts";
import { fixed, loadNow, median, table, whole } from "./measure.ts";
import { profile } from "./tab-profile.ts";
import type { TabSample } from "./tab-stopwatch.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 9);
const MILLISECONDS = Number(process.env["MILLISECONDS"] ?? 400);
const ENTRY_BYTES = 64;
const MANY = 64;

const DURABILITIES = ["relaxed", "strict"] as const;
type Durability = (typeof DURABILITIES)[number];

const DISKS: readonly DiskKind[] = DURABILITIES.flatMap((durability) => [{ durability, apart: false }, { durability, apart: true }]);
const KINDS: readonly GroupKind[] = DURABILITIES.flatMap((durability): GroupKind[] => [
  { name: "propose, no outbox", durability, identity: "auto", apart: false },
  { name: "propose, outbox, as a match", durability, identity: "durable", apart: false },
  { name: "propose, outbox, databases apart", durability, identity: "durable", apart: true },
]);

interface Subject {
  readonly name: string;
  readonly inFlight: number;
  round(tab: Page): Promise<TabSample>;
}

interface Round extends TabSample {
  /** Write transactions and puts per operation, of the leader and of one follower. */
  readonly written: readonly number[];
}

interface Figure {
  readonly subject: Subject;
  readonly rounds: readonly Round[];
}

function bareSubjects(durability: Durability, sizes: Readonly<Record<number, number>>): Subject[] {
  const disk = (apart: boolean): number => DISKS.findIndex((each) => each.durability === durability && each.apart === apart);
  const shared = disk(false);
  return [1, MANY].flatMap((inFlight): Subject[] => {
    const kept = (name: string, at: number): Subject => ({ name, inFlight, round: (tab) => ask(tab, "keptRound", { ms: MILLISECONDS, disk: at, recordBytes: sizes[inFlight] ?? 0, perRecord: inFlight }) });
    return [
      { name: "bare network round", inFlight, round: (tab) => ask(tab, "round", { ms: MILLISECONDS, entryBytes: ENTRY_BYTES, perMessage: inFlight }) },
      { name: "bare transactions", inFlight, round: (tab) => ask(tab, "transactions", { ms: MILLISECONDS, disk: shared, recordBytes: sizes[1] ?? 0, inFlight }) },
      kept("both: round, a transaction per tab", shared),
      kept("both, databases apart", disk(true)),
    ];
  });
}

function raftSubjects(durability: Durability): Subject[] {
  return KINDS.flatMap(({ name, durability: kept }, kind): Subject[] =>
    kept !== durability ? [] : [1, MANY].map((inFlight): Subject => ({ name, inFlight, round: (tab) => ask(tab, "raft", { ms: MILLISECONDS, kind, entryBytes: ENTRY_BYTES, inFlight }) })),
  );
}

/** Rounds of all subjects in turn, after one that does not count. */
async function compare(tabs: readonly [Page, ...Page[]], subjects: readonly Subject[]): Promise<readonly Figure[]> {
  const taken = subjects.map((): Round[] => []);
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const [at, subject] of subjects.entries()) {
      const before = await writtenBy(tabs);
      const sample = await subject.round(tabs[0]);
      const after = await writtenBy(tabs);
      const written = after.map((count, field) => (count - (before[field] ?? 0)) / sample.count);
      if (round >= 0) taken[at]?.push({ ...sample, written });
      await tidy(tabs);
    }
  }
  return subjects.map((subject, at) => ({ subject, rounds: taken[at] ?? [] }));
}

async function writtenBy(tabs: readonly [Page, ...Page[]]): Promise<readonly number[]> {
  return [...(await ask(tabs[0], "written")), ...(await ask(tabs[1] ?? tabs[0], "written"))];
}

/** No round carries what another left. */
async function tidy(tabs: readonly Page[]): Promise<void> {
  for (const tab of tabs) {
    for (const kind of KINDS.keys()) await ask(tab, "compact", kind);
    for (const disk of DISKS.keys()) await ask(tab, "clearDisk", disk);
  }
}

function report(durability: Durability, inFlight: number, figures: readonly Figure[]): void {
  const of = (name: string, many: number = inFlight): Figure | undefined => figures.find(({ subject }) => subject.name === name && subject.inFlight === many);
  const [network, disk, both] = [of("bare network round"), of("bare transactions"), of("both: round, a transaction per tab")];
  const rows = figures.filter(({ subject }) => subject.inFlight === inFlight).map(({ subject: { name }, rounds }) => {
    const middle = (pick: (round: Round) => number): number => median(rounds.map(pick));
    // Of neighbouring rounds: what slows both at once does not show.
    const ratio = (pick: (round: Round, at: number) => number): string => fixed(median(rounds.map(pick)));
    const larger = (at: number): number => Math.max(network?.rounds[at]?.p50 ?? 0, disk?.rounds[at]?.p50 ?? 0);
    const single = of(name, 1);
    const against = inFlight === 1
      ? [ratio((round, at) => round.p50 / larger(at)), ratio((round, at) => round.p50 / (both?.rounds[at]?.p50 ?? 0))]
      : [ratio((round, at) => round.perSecond / (single?.rounds[at]?.perSecond ?? 0)), ratio((round, at) => round.perSecond / (both?.rounds[at]?.perSecond ?? 0))];
    return [name, whole(middle((r) => r.perSecond)), fixed(middle((r) => r.p50), 3), fixed(middle((r) => r.p99), 3), ...against, ...[0, 1, 2, 3].map((field) => fixed(middle((r) => r.written[field] ?? 0)))];
  });
  console.log(`${durability}, ${inFlight} in flight (${loadNow()})${inFlight === 1 ? ": wanted is a p50 of at most 1.3 of the larger bare one" : ": wanted are at least 20 times the commits of one in flight"}`);
  table(["", "per second", "p50 ms", "p99 ms", ...(inFlight === 1 ? ["p50 of larger", "p50 of both"] : ["rate of one", "rate of both"]), "tx leader", "puts", "tx follower", "puts"], rows);
}

/** What the records of a match weigh: of one entry, and of as many as are in flight. */
async function recordSizes(tab: Page, kind: number): Promise<Readonly<Record<number, number>>> {
  const sizes: Record<number, number> = {};
  for (const inFlight of [1, MANY]) {
    await ask(tab, "compact", kind);
    await ask(tab, "raft", { ms: 100, kind, entryBytes: ENTRY_BYTES, inFlight });
    sizes[inFlight] = await ask(tab, "recordBytes", kind);
  }
  return sizes;
}

/** Prints the tables; with PROFILE=1 where the time of leader and follower goes instead. */
export async function measureCommits(stage: DurableStage): Promise<void> {
  const tabs = await openDurableTabs(stage, KINDS, DISKS);
  const asMatch = KINDS.findIndex(({ identity, apart }) => identity === "durable" && !apart);
  if (process.env["PROFILE"] === "1") return profiles(tabs, asMatch);
  const sizes = await recordSizes(tabs[0], asMatch);
  const terms = async (): Promise<string> => (await Promise.all([...KINDS.keys()].map((kind) => ask(tabs[0], "term", kind)))).join();
  const before = await terms();
  console.log(`Commits in 3 tabs of one profile on disk, simple-peer links, ${ENTRY_BYTES}-byte entries, log records of ${sizes[1]} bytes (one entry) and ${sizes[MANY]} bytes (${MANY}); medians of ${ROUNDS} interleaved rounds of ${MILLISECONDS} ms, ratios of neighbouring rounds.`);
  console.log("network: sent to two, done at the first answer. transactions: idb-keyval's `set` in the leader's tab alone, none of the others at work. both: the two together, which no commit that two disks must hold can undercut.\n");
  for (const durability of DURABILITIES) {
    const figures = await compare(tabs, [...bareSubjects(durability, sizes), ...raftSubjects(durability)]);
    for (const inFlight of [1, MANY]) report(durability, inFlight, figures);
  }
  if ((await terms()) !== before) console.log("Leadership changed on the way: these figures are not worth much.");
  for (const tab of tabs) await tab.close();
}

async function profiles(tabs: readonly [Page, ...Page[]], kind: number): Promise<void> {
  for (const inFlight of [1, MANY]) {
    const run = (): Promise<TabSample> => ask(tabs[0], "raft", { ms: 3_000, kind, entryBytes: ENTRY_BYTES, inFlight });
    await run();
    await profile(`propose, ${inFlight} in flight, leader`, tabs[0], run);
    await profile(`propose, ${inFlight} in flight, follower`, tabs[1] ?? tabs[0], run);
  }
}
