// The newest entries of the log, as they are agreed on: index, term, who and what. Pure; fed with what a node commits and with what it traces.
import type { LogEvent } from "../sdk/index.ts";
import { ticTacToe } from "./tic-tac-toe.ts";
import { placeOf } from "./words.ts";

/** Entries shown; older ones are still in the log. */
export const ENTRIES_MAX = 24;
/** Entries of which the term is remembered until they are agreed on; beyond it the oldest are forgotten, and shown without. */
const TERMS_MAX = 1024;

/** One entry of the list. */
export interface TailEntry {
  readonly index: number;
  /** Undefined when it was agreed on before anybody looked: a log that is replayed says what, not when. */
  readonly term: number | undefined;
  /** The peer that proposed it; undefined for what a leader adds by itself. */
  readonly proposer: string | undefined;
  readonly what: string;
}

/** What is read of a node's trace. */
export interface Traced {
  readonly name: string;
  readonly term: number;
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
  readonly message?: { readonly type: string; readonly entries?: readonly { readonly index: number; readonly term: number; readonly kind: number }[] } | undefined;
}

/** Kinds of entries that no command is in. */
const NOTHING = "a new leader’s first entry";
const VOTERS = "who votes changes";
const LANES: Readonly<Record<number, string>> = { 1: "the game", 2: "seats and names", 3: "who owns the match", 4: "shards" };
const KIND_MEMBERSHIP = 2;

/** Follows one node's log. */
export class LogTail {
  readonly #known = new Map<number, { readonly term: number; readonly isMembership: boolean }>();
  readonly #rows = new Map<number, TailEntry>();

  /** Hears what is committed, in log order. */
  committed(event: LogEvent): void {
    if (event.type === "install") {
      this.#rows.clear();
      for (const index of this.#known.keys()) if (index <= event.index) this.#known.delete(index);
      this.#add({ index: event.index, term: undefined, proposer: undefined, what: "a snapshot of everything before" });
    } else {
      const { index, lane, payload, proposer } = event;
      this.#add({ index, term: this.#known.get(index)?.term, proposer, what: `${described(lane, payload)}${event.duplicate ? ", a second time: without effect" : ""}` });
    }
  }

  /** Hears the node's trace: the terms of entries, and those in which there is no command. */
  traced({ name, term, detail, message }: Traced): void {
    if (name === "Replicate" || name === "ChangeConf") this.#learn(Number(detail?.["index"]), term, name === "ChangeConf");
    if (name === "ReceiveAppendEntriesRequest") for (const entry of message?.entries ?? []) this.#learn(entry.index, entry.term, entry.kind === KIND_MEMBERSHIP);
  }

  /** Everything up to `applied`, newest first, at most {@link ENTRIES_MAX}. */
  upTo(applied: number): readonly TailEntry[] {
    // Whatever is agreed on and came as no command had none in it.
    for (const [index, { term, isMembership }] of this.#known) {
      if (index > applied) continue;
      this.#known.delete(index);
      if (!this.#rows.has(index)) this.#add({ index, term, proposer: undefined, what: isMembership ? VOTERS : NOTHING });
    }
    return [...this.#rows.values()].sort((a, b) => b.index - a.index);
  }

  #learn(index: number, term: number, isMembership: boolean): void {
    if (!Number.isSafeInteger(index)) return;
    this.#known.delete(index);
    this.#known.set(index, { term, isMembership });
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > TERMS_MAX && oldest !== undefined) this.#known.delete(oldest);
  }

  #add(entry: TailEntry): void {
    this.#rows.set(entry.index, entry);
    if (this.#rows.size > ENTRIES_MAX) this.#rows.delete(Math.min(...this.#rows.keys()));
  }
}

function described(lane: number, payload: Uint8Array): string {
  if (lane !== 1) return LANES[lane] ?? `lane ${lane}`;
  try {
    const action = ticTacToe.actions.decode(payload);
    return action.type === "mark" ? `marks ${placeOf(action.cell)}` : "asks for another round";
  } catch {
    return "nothing that is a move";
  }
}
