// One player's part in the fair dice: promises contributions ahead of time, shows the next one when the log asks for it, and keeps them secret until then.
import { below, toHex, type Clock, type Random } from "../base/index.ts";
import { handOf, tipOfContribution, type DiceState } from "./fair-dice.ts";
import type { DefinedGame, Seat } from "./game.ts";
import type { SpeculativeSequencer } from "./speculative-sequencer.ts";
import { CONTRIBUTION_BYTES, type SystemCommand } from "./system-command.ts";
import type { TurnSequencer } from "./turn-sequencer.ts";

/** Contributions promised at a time: each hashes to the one before, so that one entry promises them all. */
const CHAIN_LENGTH = 64;
/** With fewer left a new chain is promised, so that no roll has to wait for one. */
const CHAIN_LOW = 8;

/** Pause before what was not committed is proposed again, ms. */
const AGAIN_MS = 1_000;

/** Where a player's secret outlives its tab. */
export interface DiceSecrets {
  /** What was kept last; undefined for nothing. */
  load(): Promise<Uint8Array | undefined>;
  /** Resolves when it is kept. */
  keep(secret: Uint8Array): Promise<void>;
}

/** What a {@link DiceHand} is made from. */
export interface DiceHandOptions<State, Action> {
  readonly game: DefinedGame<State, Action>;
  readonly sequencer: TurnSequencer<Action>;
  readonly speculative: SpeculativeSequencer<State, Action>;
  /** The seat this peer holds now, undefined for none. */
  readonly player: () => Seat | undefined;
  readonly clock: Clock;
  /** Unpredictable: what others could guess they could roll with. */
  readonly random: Random;
  /** Default: memory. Then a tab that is reloaded while its contribution is asked for is a no-show, once. */
  readonly secrets?: DiceSecrets | undefined;
}

/** Runs by itself from construction until `close` or the sequencer's, and looks only at what is committed: a roll that is only predicted shows nothing. */
export class DiceHand<State, Action> {
  readonly #options: DiceHandOptions<State, Action>;
  readonly #offs: readonly (() => void)[];
  #cancel: () => void = () => {};
  /** Promise → what it promises, for every contribution not shown yet. */
  readonly #values = new Map<string, Uint8Array>();
  /** What this peer has proposed and not seen yet: neither promised nor shown twice. */
  readonly #underWay = new Set<string>();
  #isPromising = false;
  #isLoaded: boolean;
  #isClosed = false;

  constructor(options: DiceHandOptions<State, Action>) {
    this.#options = options;
    this.#isLoaded = options.secrets === undefined;
    this.#offs = [options.speculative.on("change", () => this.look()), options.speculative.on("closed", () => this.close())];
    if (options.secrets === undefined) this.look();
    else void this.#load(options.secrets);
  }

  /** Looks again at what is asked of this player: call it when its seat changed. Cheap. */
  look(): void {
    const { game: { dice }, speculative, player } = this.#options;
    const seat = player();
    if (this.#isClosed || !this.#isLoaded || dice === undefined || seat === undefined) return;
    try {
      this.#attend(dice.read(speculative.confirmedState), seat);
    } catch {
      // A game whose dice can not be read is reported wherever an entry is judged.
    }
  }

  /** Stops. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#cancel();
    for (const off of this.#offs) off();
  }

  #attend(dice: DiceState, seat: Seat): void {
    const { tip, next } = handOf(dice, seat);
    const value = tip === null ? undefined : this.#values.get(tip);
    const at = dice.open?.phase === "revealing" ? dice.open.seats.indexOf(seat) : -1;
    if (at >= 0 && dice.open?.shown[at] === null && value !== undefined) void this.#show(seat, value);
    if (next === null && (value === undefined || (this.#leftAfter(value) < CHAIN_LOW && dice.open === null))) void this.#promise(seat);
  }

  /** How many contributions are left behind this one. */
  #leftAfter(value: Uint8Array): number {
    let left = 0;
    for (let each: Uint8Array | undefined = value; each !== undefined && left < CHAIN_LOW; each = this.#values.get(toHex(each))) left += 1;
    return left;
  }

  async #show(seat: Seat, value: Uint8Array): Promise<void> {
    if (await this.#propose({ type: "reveal", value })) this.#values.delete(toHex(tipOfContribution(seat, value)));
  }

  async #promise(seat: Seat): Promise<void> {
    if (this.#isPromising) return;
    this.#isPromising = true;
    try {
      const { secrets, random } = this.#options;
      const secret = Uint8Array.from({ length: CONTRIBUTION_BYTES }, () => below(random, 256));
      // Kept before it is promised: a tab that dies in between has promised nothing.
      await secrets?.keep(Uint8Array.of(seat, ...secret));
      await this.#propose({ type: "commit", tip: this.#chain(seat, secret) });
    } catch {
      // Kept nowhere, promised nowhere: tried again at the next change.
    } finally {
      this.#isPromising = false;
    }
  }

  /** Remembers the chain that begins with `secret`, last contribution first; returns the promise of its first. */
  #chain(seat: Seat, secret: Uint8Array): Uint8Array {
    let value = secret;
    for (let at = 0; at < CHAIN_LENGTH; at += 1) {
      const tip = tipOfContribution(seat, value);
      this.#values.set(toHex(tip), value);
      value = tip;
    }
    return value;
  }

  /** True when it is committed. */
  async #propose(command: Exclude<SystemCommand, { readonly type: "tick" }>): Promise<boolean> {
    const name = toHex(command.type === "commit" ? command.tip : command.value);
    if (this.#underWay.has(name)) return false;
    this.#underWay.add(name);
    try {
      await this.#options.sequencer.proposeSystem(command);
      return true;
    } catch {
      // Refused, or open: in a moment the log may take it, or shows that it has.
      this.#cancel();
      if (!this.#isClosed) this.#cancel = this.#options.clock.after(AGAIN_MS, () => this.look());
      return false;
    } finally {
      this.#underWay.delete(name);
    }
  }

  async #load(secrets: DiceSecrets): Promise<void> {
    try {
      const kept = await secrets.load();
      const seat = kept?.[0];
      if (kept?.length === 1 + CONTRIBUTION_BYTES && seat !== undefined) this.#chain(seat, kept.slice(1));
    } catch {
      // What can not be read is lost, and a new promise is made.
    }
    this.#isLoaded = true;
    this.look();
  }
}
