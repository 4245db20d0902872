// Proposals per second and latency of a group in one process, beside the same messages with nobody deciding anything.
import { drive, type Drive } from "./drive.ts";
import type { Group } from "./group.ts";
import { compare, fixed, table, whole, type Subject } from "./measure.ts";
import { bareGroup } from "./bare.ts";
import { coreGroup } from "./core-node.ts";
import { machineGroup } from "./machine-node.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 5);
const MILLISECONDS = 250;
const payload = new Uint8Array(64).fill(7);

function subject(name: string, make: () => Group, how: Omit<Drive, "payload">): Subject {
  return {
    name,
    round: () => {
      // A group of its own per round: what a round leaves in memory is not the next one's to carry.
      const group = make();
      const leader = group.nodes.indexOf(group.elect());
      const warm = drive(group, leader, 2_000, { ...how, payload });
      return drive(group, leader, Math.max(2_000, Math.ceil((warm.perSecond * MILLISECONDS) / 1000)), { ...how, payload });
    },
  };
}

function section(title: string, how: Omit<Drive, "payload">, sizes: readonly number[]): void {
  console.log(title);
  const subjects = sizes.flatMap((size) => [
    subject(`bare messages, ${size} nodes`, () => bareGroup(size), how),
    subject(`Raft machine, ${size} nodes`, () => machineGroup(size), how),
    subject(`replica core, ${size} nodes`, () => coreGroup(size), how),
  ]);
  const figures = compare(subjects, ROUNDS);
  const rows = figures.map((figure, at) => {
    const bare = figures[at - (at % 3)]!;
    return [figure.name, whole(figure.perSecond), `${whole(figure.lowest)}–${whole(figure.highest)}`, fixed(figure.p50, 1), fixed(figure.p99, 1), fixed(figure.cpu), fixed(figure.perSecond / bare.perSecond), fixed(bare.cpu / figure.cpu)];
  });
  table(["64-byte entries", "committed/s", "lowest–highest", "p50 µs", "p99 µs", "cpu µs each", "of bare", "by cpu"], rows);
}

console.log(`Node ${process.version}, medians of ${ROUNDS} rounds taken in turn; every message encoded and decoded, writes durable at once.\n`);
section("1 in flight", { inFlight: 1, flush: "turn" }, [3, 5]);
section("64 in flight, everything proposed in one turn shares a message", { inFlight: 64, flush: "turn" }, [3, 5]);
section("64 in flight, a message per proposal", { inFlight: 64, flush: "entry" }, [3]);
