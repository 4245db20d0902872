import { simulate } from "./simulate.ts";
declare const process: { argv: string[] };
declare const console: { log(...a: unknown[]): void };
declare const performance: { now(): number };
const [from, to, dur, omit] = process.argv.slice(2);
const t0 = performance.now(); let sim = 0, events = 0, viol = 0, vac = 0; const rules = new Map<string, number[]>(); const marks = new Map<string, number>(); const vacs = new Map<string, number>(); let slowest = 0, slowSeed = 0; let maxLeader: number[] = [];
for (let s = Number(from); s < Number(to); s++) {
  const a = performance.now();
  const r = simulate(s, { durationMs: Number(dur ?? 60000), log: Number(to) - Number(from) === 1 && process.argv[5] !== "quiet" ? (at, line) => console.log(at.toFixed(3), line) : undefined, omit: omit && omit !== "quiet" ? new Set(omit.split(",").map(Number)) : undefined });
  const ms = performance.now() - a; if (ms > slowest) { slowest = ms; slowSeed = s; }
  sim += r.simulatedMs; events += r.events;
  if (r.healing?.hadCore) maxLeader.push(r.healing.leaderAfter);
  if (r.violation) { viol++; rules.set(r.violation.rule, [...(rules.get(r.violation.rule) ?? []), s]); if (viol <= 8 ) console.log("seed", s, Math.round(r.violation.atMs), r.violation.detail.slice(0, 900)); }
  if (r.vacuous) { vac++; vacs.set(r.vacuous.replace(/\d+/g, "#"), (vacs.get(r.vacuous.replace(/\d+/g, "#")) ?? 0) + 1); }
  for (const [m] of r.marks) marks.set(m, (marks.get(m) ?? 0) + 1);
}
const wall = performance.now() - t0; const n = Number(to) - Number(from);
maxLeader.sort((a, b) => a - b);
console.log({ n, viol, vac, vacs, speed: Math.round(sim / wall), evps: Math.round(events / wall * 1000), wallPer: wall / n, slowest, slowSeed, leaderMax: maxLeader.at(-1), leader99: maxLeader[Math.floor(maxLeader.length * 0.99)] });
console.log([...rules].map(([r, s]) => r + ": " + s.length + " " + s.slice(0, 10)).join("\n"));
if (n > 1) console.log([...marks].map(([m, c]) => m + " " + Math.round(c / n * 100) + "%").sort().join(", "));
