// Rules about what reaches the layers above: every node applies the same commands, in order, each once, to the same state (I12, C3, C7).
import type { LogIndex } from "../../base/index.ts";
import type { Applied } from "./engine.ts";
import { hashBytes } from "./draw.ts";
import type { NodeSheet } from "./history.ts";
import { applyCommand, EMPTY_KV, type KvState } from "./kv.ts";
import { demand } from "./violation.ts";

/** One committed command, as the first node delivered it. */
export interface ModelCommand {
  readonly index: LogIndex;
  readonly client: string;
  readonly serial: number;
  readonly duplicate: boolean;
  readonly hash: number;
  /** Of the whole state after this command. */
  readonly digest: number;
  /** A compare-and-set found what it expected; always true for a write; false for a duplicate. */
  readonly took: boolean;
}

/** The state machine as it should be: run once, along the committed log. */
export class Model {
  readonly commands: ModelCommand[] = [];
  /** Where a client's serial took effect. */
  readonly effects: Map<string, ModelCommand> = new Map();
  #state: KvState = EMPTY_KV;

  /** Commands that were skipped because their key had been applied before. */
  duplicates = 0;

  /** The first command after `index`. */
  firstAfter(index: LogIndex): number {
    let [low, high] = [0, this.commands.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.commands[middle]?.index ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Judges what a node delivered; the first to deliver a command extends the model by it. */
  judge(sheet: NodeSheet, applied: Applied, wasProposed: (client: string, serial: number) => boolean): void {
    const { id } = sheet;
    if (applied.type === "install") {
      demand("I11", applied.index >= sheet.applied, () => `${id} installs a snapshot at ${applied.index} after applying ${sheet.applied}`);
      sheet.applied = applied.index;
      sheet.nextCommand = this.firstAfter(applied.index);
      return;
    }
    demand("I12", applied.index > sheet.applied, () => `${id} applies ${applied.index} after ${sheet.applied}`);
    demand("I7", applied.index <= sheet.commit, () => `${id} applies ${applied.index} with commit ${sheet.commit}`);
    const known = this.commands[sheet.nextCommand];
    if (known === undefined) this.#extend(sheet, applied, wasProposed);
    else {
      demand("I12", known.index === applied.index, () => `${id} applies ${applied.index} next; others applied ${known.index}`);
      demand("I12", known.hash === hashCommand(applied) && known.duplicate === applied.duplicate, () => `${id} applies something else at ${applied.index} than others`);
    }
    sheet.nextCommand += 1;
    sheet.applied = applied.index;
  }

  /** Judges a node's state after it applied everything up to `sheet.applied`. */
  judgeState(sheet: NodeSheet, digest: number): void {
    const expected = this.commands[sheet.nextCommand - 1]?.digest ?? 0;
    demand("I12", digest === expected, () => `${sheet.id} has another state after ${sheet.applied} than others: ${digest}, not ${expected}`);
  }

  #extend({ id }: NodeSheet, applied: Applied & { type: "command" }, wasProposed: (client: string, serial: number) => boolean): void {
    const { index, client, serial, payload, duplicate } = applied;
    const key = `${client} ${serial}`;
    demand("C7", wasProposed(client, serial), () => `${id} applies serial ${serial} of ${client} at ${index}, which was never proposed`);
    const before = this.effects.get(key);
    demand("C3", duplicate === (before !== undefined), () =>
      duplicate ? `${id} skips serial ${serial} of ${client} at ${index} as a duplicate; it never took effect` : `${id} applies serial ${serial} of ${client} at ${index} again; it took effect at ${String(before?.index)}`);
    const next = duplicate ? { state: this.#state, took: false } : applyCommand(this.#state, payload);
    this.#state = next.state;
    const command: ModelCommand = { index, client, serial, duplicate, hash: hashCommand(applied), digest: next.state.digest, took: next.took };
    this.commands.push(command);
    if (duplicate) this.duplicates += 1;
    else this.effects.set(key, command);
  }
}

function hashCommand({ client, serial, payload, time }: Applied & { type: "command" }): number {
  return hashBytes(payload, serial * 31 + client.length + (time | 0));
}
