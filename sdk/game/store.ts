// State as nanostores atoms: what a view binds to, in any framework. The one file of this folder that knows nanostores.
import { atom, type ReadableAtom } from "nanostores";
import type { PendingAction, SpeculativeSequencer } from "./speculative-sequencer.ts";

/** The atoms of one match. Each is assigned at most once per change, and only when its value is a new one. */
export interface GameStore<State, Action> {
  /** What to draw: the committed state with this peer's pending actions on top. */
  readonly state: ReadableAtom<State>;
  /** Only what is committed. */
  readonly confirmed: ReadableAtom<State>;
  /** This peer's actions that are shown and not decided, oldest first. */
  readonly pending: ReadableAtom<readonly Action[]>;
  /** Stops following the sequencer; the atoms keep their last values. Idempotent. */
  close(): void;
}

/** Binds atoms to a sequencer. A listener of `state` may read the other two: they are assigned before it. */
export function createGameStore<State, Action>(sequencer: SpeculativeSequencer<State, Action>): GameStore<State, Action> {
  let listed = sequencer.pending;
  const state = atom<State>(sequencer.speculativeState);
  const confirmed = atom<State>(sequencer.confirmedState);
  const pending = atom<readonly Action[]>(actionsOf(listed));
  const close = sequencer.on("change", () => {
    if (sequencer.pending !== listed) {
      listed = sequencer.pending;
      pending.set(actionsOf(listed));
    }
    confirmed.set(sequencer.confirmedState);
    state.set(sequencer.speculativeState);
  });
  return { state, confirmed, pending, close };
}

function actionsOf<Action>(pending: readonly PendingAction<Action>[]): readonly Action[] {
  return pending.map(({ action }) => action);
}
