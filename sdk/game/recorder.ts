// Writes a match down while it runs: hand its `add` to the sequencer as `onTurn`.
import { encodeGameSection } from "./game-section.ts";
import type { DefinedGame } from "./game.ts";
import { InvalidArgumentError } from "../base/index.ts";
import { cutRecording, RECORDING_TURNS_MAX, type RecordedTurn, type Recording } from "./recording.ts";
import { replay } from "./replay.ts";
import type { TurnEvent } from "./turn.ts";

/** What a {@link Recorder} is made from. */
export interface RecorderOptions<State, Action> {
  readonly game: DefinedGame<State, Action>;
  readonly seats: number;
  /** Most turns held, 2 or more; at the limit the older half is folded into the start state. Default {@link RECORDING_TURNS_MAX}. */
  readonly turnsMax?: number | undefined;
}

/** Collects the events of the game's lane. A reset starts over from its snapshot: what was compacted away is not known here. */
export class Recorder<State, Action> {
  readonly #options: RecorderOptions<State, Action>;
  #start: Recording["start"] = { index: 0, section: undefined };
  #turns: RecordedTurn[] = [];

  constructor(options: RecorderOptions<State, Action>) {
    const { turnsMax = RECORDING_TURNS_MAX } = options;
    if (!(turnsMax >= 2 && turnsMax <= RECORDING_TURNS_MAX)) throw new InvalidArgumentError(`turnsMax is from 2 to ${RECORDING_TURNS_MAX}, got ${turnsMax}`);
    this.#options = options;
  }

  /** Takes the next event. Bound to the recorder, so that it can be handed on as it is. */
  readonly add = (event: TurnEvent<Action>): void => {
    if (event.type === "reset") {
      this.#start = { index: event.index, section: event.snapshot };
      this.#turns = [];
      return;
    }
    const { index, time, player, proposer, dedupKey, duplicate, payload } = event;
    if (this.#turns.length >= (this.#options.turnsMax ?? RECORDING_TURNS_MAX)) this.#fold();
    this.#turns.push({ index, time, player, proposer, dedupKey, duplicate, payload, ...(event.system?.type === "begin" ? { begins: true } : {}) });
  };

  /** The recording so far, as a value that does not change any more. */
  get recording(): Recording {
    const { game, seats } = this.#options;
    return { rules: game.rules, seats, start: this.#start, turns: [...this.#turns] };
  }

  #fold(): void {
    const { game } = this.#options;
    const middle = this.#turns[Math.floor(this.#turns.length / 2) - 1];
    if (middle === undefined) return;
    const { state, count, time } = replay(game, cutRecording(this.recording, middle.index));
    this.#start = { index: middle.index, section: encodeGameSection(game, { state, count, time }) };
    this.#turns = this.#turns.filter(({ index }) => index > middle.index);
  }
}
