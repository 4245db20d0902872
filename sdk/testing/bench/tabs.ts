// Commits per second and latency in three real tabs, beside the bare pattern over the same simple-peer links in the same run.
import type { Page } from "playwright";
import { fixed, loadNow, median, table, whole } from "./measure.ts";
import { profile } from "./tab-profile.ts";
import { call, openStage, type Stage } from "./tab-stage.ts";
import type { TabSample } from "./tab-stopwatch.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 9);
const MILLISECONDS = Number(process.env["MILLISECONDS"] ?? 400);
const ENTRY_BYTES = 64;
const FLOODS = [[64, 20_000], [1024, 6_000], [16 * 1024, 500]] as const;

interface Subject {
  readonly name: string;
  round(tab: Page): Promise<TabSample>;
}

interface Figure extends TabSample {
  readonly name: string;
  /** Processor time of all three tabs per operation, microseconds. */
  readonly cpu: number;
  /** Messages and bytes of all three tabs per operation. */
  readonly messages: number;
  readonly bytes: number;
  readonly rounds: readonly TabSample[];
}

const bare = (name: string, perMessage: number, messages: number, entryBytes = ENTRY_BYTES): Subject => ({ name, round: (tab) => call(tab, "bare", { ms: MILLISECONDS, entryBytes, perMessage, messages }) });
const raft = (name: string, inFlight: number): Subject => ({ name, round: (tab) => call(tab, "raft", { ms: MILLISECONDS, entryBytes: ENTRY_BYTES, inFlight }) });

/** Rounds of all subjects in turn, after one that does not count. */
async function compare(stage: Stage, tab: Page, subjects: readonly Subject[]): Promise<Figure[]> {
  const taken = subjects.map((): { sample: TabSample; cpu: number; messages: number; bytes: number }[] => []);
  const sent = async (): Promise<readonly [number, number]> => (await Promise.all(stage.tabs.map((each) => call(each, "sent")))).reduce(([messages, bytes], each) => [messages + each[0], bytes + each[1]], [0, 0] as const);
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const [at, subject] of subjects.entries()) {
      const [messagesBefore, bytesBefore] = await sent();
      const before = await stage.cpuSeconds();
      const sample = await subject.round(tab);
      const cpu = ((await stage.cpuSeconds()) - before) * 1e6;
      const [messagesAfter, bytesAfter] = await sent();
      if (round >= 0) taken[at]?.push({ sample, cpu, messages: messagesAfter - messagesBefore, bytes: bytesAfter - bytesBefore });
      for (const each of stage.tabs) await call(each, "compact");
    }
  }
  return subjects.map(({ name }, at) => {
    const samples = (taken[at] ?? []).map(({ sample }) => sample);
    const of = (pick: (sample: TabSample) => number): number => median(samples.map(pick));
    // Over all rounds: the browser counts processor time in coarse steps.
    const count = samples.reduce((sum, sample) => sum + sample.count, 0);
    const each = (pick: (round: { cpu: number; messages: number; bytes: number }) => number): number => (taken[at] ?? []).reduce((sum, round) => sum + pick(round), 0) / count;
    return { name, perSecond: of((s) => s.perSecond), count, p50: of((s) => s.p50), p99: of((s) => s.p99), cpu: each((r) => r.cpu), messages: each((r) => r.messages), bytes: each((r) => r.bytes), rounds: samples };
  });
}

/** The middle of the ratios of neighbouring rounds: what slows both at once does not show. */
function paired(figure: Figure, base: Figure, pick: (sample: TabSample) => number): number {
  return median(figure.rounds.map((sample, at) => pick(sample) / pick(base.rounds[at] ?? sample)));
}

const lows = (figure: Figure): string => `${whole(Math.min(...figure.rounds.map((s) => s.perSecond)))}–${whole(Math.max(...figure.rounds.map((s) => s.perSecond)))}`;

function report(title: string, figures: readonly Figure[]): void {
  console.log(`${title} (${loadNow()})`);
  const [base] = figures;
  if (base === undefined) return;
  const rows = figures.map((figure) => [
    figure.name, whole(figure.perSecond), lows(figure), fixed(figure.p50, 3), fixed(figure.p99, 3), fixed(figure.cpu, 1), fixed(figure.messages), whole(figure.bytes),
    fixed(paired(figure, base, (s) => s.perSecond)), fixed(paired(figure, base, (s) => s.p50)), fixed(base.cpu / figure.cpu),
  ]);
  table(["", "per second", "lowest–highest", "p50 ms", "p99 ms", "cpu µs each", "messages", "bytes", "rate of bare", "p50 of bare", "by cpu"], rows);
}

/** With PROFILE=1: where the time of a leader and of a follower goes, instead of how much it is. */
async function profiles(stage: Stage, tab: Page): Promise<void> {
  const other = stage.tabs.find((each) => each !== tab) ?? tab;
  const flood: Subject = { name: "one way, 64 bytes, seam and channel", round: (page) => call(page, "floodSeam", 60_000, ENTRY_BYTES) };
  for (const subject of [flood, bare("bare, 1 in flight", 1, 1), raft("RaftNode.propose, 1 in flight", 1), bare("bare, 64 in one message", 64, 1), raft("RaftNode.propose, 64 in flight", 64)]) {
    await subject.round(tab);
    await profile(`${subject.name}, leader`, tab, () => subject.round(tab));
    await profile(`${subject.name}, follower`, other, () => subject.round(tab));
  }
}

async function main(): Promise<void> {
  const stage = await openStage(new URL("./", import.meta.url));
  try {
    const tab = await stage.leader();
    if (process.env["PROFILE"] === "1") return await profiles(stage, tab);
    const term = await tab.evaluate(() => globalThis.tabBench.term);
    console.log(`Chromium ${stage.browser.version()}, 3 tabs, simple-peer links, memory storage, ${ENTRY_BYTES}-byte entries; medians of ${ROUNDS} interleaved rounds of ${MILLISECONDS} ms, ratios of neighbouring rounds; cpu is of all three tabs.`);
    console.log("bare: sent to two, done at the first acknowledgement, by simple-peer's `send` on the seam's own links.\n");
    report("1 in flight: wanted are a p50 of at most 1.2 of bare", await compare(stage, tab, [bare("bare", 1, 1), raft("RaftNode.propose", 1)]));
    report("64 in flight: wanted is a rate of at least 0.6 of bare", await compare(stage, tab, [bare("bare, 64 in one message, one at a time", 64, 1), raft("RaftNode.propose", 64), bare("bare, a message per entry", 1, 64), bare("bare, 64 in one, entries of 112 bytes", 64, 1, 112)]));
    for (const [size, count] of process.env["FLOOD"] === "0" ? [] : FLOODS) {
      report(`one way, ${whole(size)} bytes, ${whole(count)} messages handed over at once`, await compare(stage, tab, [
        { name: "simple-peer send", round: (page) => call(page, "floodBare", count, size) },
        { name: "seam and channel", round: (page) => call(page, "floodSeam", count, size) },
      ]));
    }
    if ((await tab.evaluate(() => globalThis.tabBench.term)) !== term) console.log("Leadership changed on the way: these figures are not worth much.");
  } finally {
    await stage.close();
  }
}

await main();
