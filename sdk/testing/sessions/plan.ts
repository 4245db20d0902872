// What one seed's gathering is like and what happens in it, drawn before anything does. Most seeds lack most kinds, so that each also meets the others' absence.
import type { Random } from "../../base/index.ts";
import { between, chance, pick, stream, STREAM } from "../sim/draw.ts";

/** Everything that can happen to people in a room. */
export const HAPPENING_KINDS = [
  "arrive", "leave", "close", "reload", "crash", "wipe", "blip", "split", "one-way", "cut", "kick", "hide", "show", "stand", "sit", "watch", "mute", "rename", "move", "return",
] as const;

/** One kind of happening. */
export type HappeningKind = (typeof HAPPENING_KINDS)[number];

/** Something that happens at a time, to somebody. */
export interface Happening {
  /** Its place in the plan: what a failing run leaves out to become smaller. */
  readonly number: number;
  readonly atMs: number;
  readonly kind: HappeningKind;
  /** Who it happens to, as a draw among whoever it can happen to then. */
  readonly who: number;
  /** How long it lasts, ms, where it lasts. */
  readonly ms: number;
}

/** One seed's world. */
export interface GatheringPlan {
  readonly seed: number;
  /** Who comes by itself at the beginning, 2 to 7. */
  readonly people: number;
  readonly seats: number;
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Share of frames lost although both ends stay connected, until the healing. */
  readonly drop: number;
  readonly spares: boolean;
  /** Spectators that are members; further ones are fed. Left out: as many as by default, which in so small a room is everybody. */
  readonly learningSpectators?: number | undefined;
  readonly happenings: readonly Happening[];
  /** When the healing begins. */
  readonly endMs: number;
}

/** By seed: in most gatherings that anybody watches some are fed. */
const LEARNING_SPECTATORS = [undefined, 0, 1] as const;

/** People who come in the first so many ms; some of them in the same moment. */
const ARRIVALS_MS = 4_000;

/** Draws a seed's world. */
export function drawGathering(seed: number): GatheringPlan {
  const random = stream(seed, STREAM.plan);
  const people = between(random, 2, chance(random, 0.3) ? 7 : 4);
  const seats = chance(random, 0.25) ? Math.max(1, people - 1) : between(random, Math.min(people, 6), 6);
  const delayMs = between(random, 2, chance(random, 0.2) ? 200 : 60);
  const world = { seed, people, seats, delayMs, jitterMs: between(random, 0, delayMs), drop: chance(random, 0.3) ? between(random, 1, 30) / 1_000 : 0, spares: chance(random, 0.85) };
  const happenings = drawHappenings(stream(seed, STREAM.faults), people);
  // Drawn by nothing but the seed, so that all else in a seed's world stays as it was.
  const learningSpectators = LEARNING_SPECTATORS[seed % LEARNING_SPECTATORS.length];
  return { ...world, learningSpectators, happenings, endMs: (happenings.at(-1)?.atMs ?? 0) + between(random, 500, 5_000) };
}

function drawHappenings(random: Random, people: number): readonly Happening[] {
  const kinds = HAPPENING_KINDS.filter((kind) => kind !== "arrive" && chance(random, kind === "move" ? 1 : 0.5));
  const drawn: Omit<Happening, "number">[] = [];
  const togetherMs = chance(random, 0.3) ? 300 : ARRIVALS_MS;
  for (let i = 0; i < people; i += 1) drawn.push({ atMs: between(random, 0, togetherMs), kind: "arrive", who: 0, ms: 0 });
  const count = between(random, 6, 18);
  const gapMs = between(random, 400, 5_000);
  let atMs = between(random, 0, ARRIVALS_MS);
  for (let i = 0; i < count; i += 1) {
    atMs += between(random, 0, 2 * gapMs);
    drawn.push({ atMs, kind: chance(random, 0.08) ? "arrive" : pick(random, kinds), who: random.uint32(), ms: between(random, 100, chance(random, 0.5) ? 4_000 : 20_000) });
  }
  return drawn.sort((a, b) => a.atMs - b.atMs).map((happening, number) => ({ ...happening, number }));
}
