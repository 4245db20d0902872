// Faults of a game's own functions: what they look like, and how they are told.
import type { GameReportKind } from "./report.ts";

/** A fault of the game itself, to be reported. */
export interface GameFault {
  readonly kind: GameReportKind;
  readonly message: string;
  readonly cause?: unknown;
}

/** True for promises and everything that acts like one. */
export function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** What an exception says, whatever was thrown. */
export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
