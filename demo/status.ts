// The status bar: what the consensus underneath is doing, in eight small facts.
import type { MatchPhase, MatchStatus } from "../sdk/index.ts";
import { element, put, say } from "./dom.ts";

const PHASES: Readonly<Record<MatchPhase, string>> = {
  connecting: "connecting",
  waiting: "waiting",
  live: "live",
  reconnecting: "reconnecting",
  "no-quorum": "no quorum",
  closed: "closed",
};

// A leader has no one way to its group; the slowest of its peers is what a commit may have to wait for.
function roundTrip({ roundTripMs, leader, isLeader }: MatchStatus): number | undefined {
  if (!isLeader && leader !== undefined) return roundTripMs[leader];
  const all = Object.values(roundTripMs);
  return all.length === 0 ? undefined : Math.max(...all);
}

function factsOf(status: MatchStatus): readonly (readonly [name: string, value: string, about: string])[] {
  const trip = roundTrip(status);
  return [
    ["state", status.epoch > 1 ? `${PHASES[status.phase]}, fork` : PHASES[status.phase], status.epoch > 1 ? "Somebody went on without the others: whoever comes back joins this fork" : "Whether moves can be agreed on right now"],
    ["role", status.role, "What this tab does in the group: one leads, the others follow, learners only listen"],
    ["term", String(status.term), "How many elections there have been"],
    ["log", String(status.commitIndex), "How many entries everybody agrees on"],
    ["round trip", trip === undefined ? "–" : `${trip < 10 ? trip.toFixed(1) : Math.round(trip)} ms`, "There and back, over WebRTC or through the server's relay"],
    ["pending", String(status.pendingCount), "Marks of this tab that are not agreed on yet"],
    ["tabs", `${status.peers.length}${status.relayed.length === 0 ? "" : `, ${status.relayed.length} relayed`}`, status.relayed.length === 0 ? "Tabs connected to each other, this one included" : "No direct path leads to some of them: the server carries what is said, sealed, and the tabs go on looking for one"],
    ["storage", status.storage === "memory" ? "memory" : "on disk", status.storageNote ?? "Where this tab keeps its log: on disk it survives a reload"],
  ];
}

/** Draws the status as a list of terms, and as data attributes for styles and tests. */
export class StatusBar {
  readonly #root: HTMLElement;
  readonly #values: readonly HTMLElement[];

  constructor(root: HTMLElement, first: MatchStatus) {
    this.#root = root;
    this.#values = factsOf(first).map(([, value]) => element("dd", { text: value }));
    const pairs = factsOf(first).map(([name, , about], at) => element("div", { class: "fact", title: about, children: [element("dt", { text: name }), ...this.#values.slice(at, at + 1)] }));
    root.querySelector("dl")?.remove();
    root.prepend(element("dl", { children: pairs }));
  }

  render(status: MatchStatus): void {
    put(this.#root, "data-phase", status.phase);
    put(this.#root, "data-role", status.role);
    put(this.#root, "data-leads", String(status.isLeader));
    put(this.#root, "data-term", String(status.term));
    put(this.#root, "data-commit-index", String(status.commitIndex));
    put(this.#root, "data-epoch", String(status.epoch));
    put(this.#root, "data-pending", String(status.pendingCount));
    put(this.#root, "data-peers", String(status.peers.length));
    put(this.#root, "data-relayed", String(status.relayed.length));
    put(this.#root, "data-seat", status.seat === undefined ? "" : String(status.seat));
    put(this.#root, "data-spectating", String(status.spectating));
    put(this.#root, "data-self", status.selfId);
    put(this.#root, "data-storage", status.storage);
    factsOf(status).forEach(([, value, about], at) => {
      const shown = this.#values[at];
      if (shown === undefined) return;
      say(shown, value);
      if (shown.parentElement !== null) put(shown.parentElement, "title", about);
    });
  }
}
