// Dice that nobody at the table can choose: every seat promises its contributions ahead of time, shows the next one when the dice are rolled, and all of
// them together are the roll. The bookkeeping as values and pure functions; who promises and shows is dice-hand.ts.
import { bytesEqual, concatBytes, digest, fromHex, seededRandom, toHex, utf8, type LogIndex, type Random } from "../base/index.ts";
import type { Seat } from "./seat.ts";
import { CONTRIBUTION_BYTES } from "./system-command.ts";

/** How long a roll waits for who does not show up, ms of logged time. */
export const ROLL_PATIENCE_MS = 10_000;

/** What one seat has promised. */
export interface PromisedHand {
  /** The next contribution hashes to this (hexadecimal); null: nothing is promised. */
  readonly tip: string | null;
  /** Takes the place of `tip` after the open roll: a promise made while that is being shown comes too late for it. */
  readonly next: string | null;
  /** Did not show up once, and is not waited for until it promises again. */
  readonly isAbsent: boolean;
}

/** A roll that is not known yet. */
export interface OpenRoll {
  /** `gathering`: some seat has promised nothing yet; nothing is shown. `revealing`: whoever has promised shows. */
  readonly phase: "gathering" | "revealing";
  /** Logged time at which nobody is waited for any longer. */
  readonly due: number;
  /** Who contributes. */
  readonly seats: readonly Seat[];
  /** What was shown, in the order of `seats` (hexadecimal); null: not yet. */
  readonly shown: readonly (string | null)[];
}

/** An action that has drawn from `context.random` and takes effect when its roll is known. */
export interface WaitingAction {
  /** Who acts. */
  readonly player: Seat;
  /** Index of its entry. */
  readonly index: LogIndex;
  /** Its bytes (hexadecimal). */
  readonly payload: string;
}

/** The dice of one match. Plain JSON, part of the game's state; made by {@link fairDice} and changed by the SDK alone. */
export interface DiceState {
  /** By seat; a seat that never promised anything may be missing. */
  readonly hands: readonly PromisedHand[];
  readonly open: OpenRoll | null;
  /** The action the open roll is for; null: it is for what `isWanted` said, or none is open. */
  readonly waiting: WaitingAction | null;
  /** Rolls that are known. */
  readonly rolls: number;
}

/** A roll that is known. */
export interface Roll {
  /** Counted from 1. */
  readonly number: number;
  /** The seats whose contributions are in it. */
  readonly seats: readonly Seat[];
  /** The seats that were asked and did not show theirs: they may not have been there, or may not have liked what they saw. */
  readonly missing: readonly Seat[];
}

/** What a roll comes to. */
export interface Settled {
  readonly dice: DiceState;
  readonly roll: Roll;
  readonly random: Random;
}

const NO_HAND: PromisedHand = { tip: null, next: null, isAbsent: false };

/** Dice before anything: what a game with `dice` puts into its state in `setup`. */
export function fairDice(): DiceState {
  return { hands: [], open: null, waiting: null, rolls: 0 };
}

/** What `value` is promised by, as this seat's. Bound to the seat, so that nobody can promise what another has promised. */
export function tipOfContribution(seat: Seat, value: Uint8Array): Uint8Array {
  return digest(concatBytes(utf8(`flotilla dice ${seat} `), value), CONTRIBUTION_BYTES);
}

/** The hand of a seat. */
export function handOf(dice: DiceState, seat: Seat): PromisedHand {
  return dice.hands[seat] ?? NO_HAND;
}

/** A seat promises a new chain of contributions. It takes effect after the open roll when that is being shown with this seat in it. */
export function promised(dice: DiceState, seat: Seat, tip: Uint8Array): DiceState {
  const isTooLate = dice.open?.phase === "revealing" && dice.open.seats.includes(seat);
  const hand = handOf(dice, seat);
  return withHand(dice, seat, isTooLate ? { ...hand, next: toHex(tip) } : { tip: toHex(tip), next: null, isAbsent: false });
}

/** A seat shows its contribution; the same dice when it was not asked, has shown already, or this is not what it promised. */
export function shown(dice: DiceState, seat: Seat, value: Uint8Array): DiceState {
  const { open } = dice;
  if (open?.phase !== "revealing") return dice;
  const at = open.seats.indexOf(seat);
  const { tip } = handOf(dice, seat);
  if (at < 0 || open.shown[at] !== null || tip === null || !bytesEqual(tipOfContribution(seat, value), fromHex(tip))) return dice;
  return { ...dice, open: { ...open, shown: open.shown.map((before, each) => (each === at ? toHex(value) : before)) } };
}

/** The dice one step further at logged time `time`: a roll begins, is shown, is dropped because the game does not want it any more, or is known. The same dice when nothing is to be done. */
export function stepped(dice: DiceState, time: number, { isWanted, seats, patienceMs }: { readonly isWanted: boolean; readonly seats: readonly Seat[]; readonly patienceMs: number }): DiceState | Settled {
  const { open } = dice;
  if (open === null) return isWanted ? { ...dice, open: { phase: "gathering", due: time + patienceMs, seats: [...seats], shown: [] } } : dice;
  if (!isWanted) return { ...dice, open: null, hands: dice.hands.map((hand, seat) => (shownBy(open, seat) === null ? { ...hand, tip: hand.next ?? hand.tip, next: null } : afterRoll(hand, open, seat))) };
  return open.phase === "gathering" ? gathered(dice, open, time, patienceMs) : revealed(dice, open, time);
}

/** Logged time at which the open roll goes on by itself; undefined while there is none, or nothing to go on with. */
export function dueOf({ open, hands }: DiceState): number | undefined {
  if (open === null) return undefined;
  return open.phase === "revealing" || open.seats.some((seat) => (hands[seat] ?? NO_HAND).tip !== null) ? open.due : undefined;
}

function gathered(dice: DiceState, open: OpenRoll, time: number, patienceMs: number): DiceState {
  const late = open.seats.filter((seat) => handOf(dice, seat).tip === null && !handOf(dice, seat).isAbsent);
  const ready = open.seats.filter((seat) => handOf(dice, seat).tip !== null);
  // With nobody's promise there is nothing to roll with: the first one ends the wait.
  if (ready.length === 0 || (late.length > 0 && time < open.due)) return dice;
  const next = late.reduce((each, seat) => withHand(each, seat, { ...handOf(each, seat), isAbsent: true }), dice);
  return { ...next, open: { phase: "revealing", due: time + patienceMs, seats: ready, shown: ready.map(() => null) } };
}

function revealed(dice: DiceState, open: OpenRoll, time: number): DiceState | Settled {
  if (open.shown.includes(null) && time < open.due) return dice;
  const number = dice.rolls + 1;
  const seats = open.seats.filter((_, at) => open.shown[at] !== null);
  const missing = open.seats.filter((_, at) => open.shown[at] === null);
  const hands = dice.hands.map((hand, seat) => afterRoll(hand, open, seat));
  // Without a single contribution the roll would be known beforehand: it is asked for again, of whoever is there by then.
  if (seats.length === 0) return { ...dice, hands, open: null };
  return { dice: { hands, open: null, waiting: null, rolls: number }, roll: { number, seats, missing }, random: mixed(number, open) };
}

/** Each contribution moves its chain one on; who did not show has to promise anew. */
function afterRoll(hand: PromisedHand, open: OpenRoll, seat: Seat): PromisedHand {
  if (open.phase !== "revealing" || !open.seats.includes(seat)) return hand;
  const value = shownBy(open, seat);
  if (value === null) return { tip: hand.next, next: null, isAbsent: hand.next === null };
  return { tip: hand.next ?? value, next: null, isAbsent: false };
}

function shownBy(open: OpenRoll, seat: Seat): string | null {
  return open.shown[open.seats.indexOf(seat)] ?? null;
}

/** All contributions through one hash: who does not know every one of them knows nothing of the outcome. */
function mixed(number: number, { seats, shown: values }: OpenRoll): Random {
  const parts = seats.flatMap((seat, at) => {
    const value = values[at] ?? null;
    return value === null ? [] : [utf8(` ${seat} `), fromHex(value)];
  });
  const words = new DataView(digest(concatBytes(utf8(`flotilla roll ${number}`), ...parts), 12).buffer);
  // 53 bits of a number and 32 of a stream: more than anybody can try out between the last contribution and the outcome.
  return seededRandom((words.getUint32(0) >>> 11) * 0x1_0000_0000 + words.getUint32(4), words.getUint32(8));
}

function withHand(dice: DiceState, seat: Seat, hand: PromisedHand): DiceState {
  const hands = Array.from({ length: Math.max(dice.hands.length, seat + 1) }, (_, at) => (at === seat ? hand : handOf(dice, at)));
  return { ...dice, hands };
}
