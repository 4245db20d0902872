// What a tab remembers over a reload: who it was in this room, and whose place it waits for. A duplicated tab starts with a copy of it.
import { isPeerId, type PeerId } from "../base/index.ts";
import type { RoomEnvironment } from "./environment.ts";

/** The note of one tab about one room. */
export interface TabNote {
  readonly peer: PeerId | undefined;
  readonly displaced: PeerId | undefined;
}

/** The note, with whatever in it can not be an id left out. */
export function readNote(env: RoomEnvironment, room: string): TabNote {
  try {
    const note: unknown = JSON.parse(env.sessionStorage?.getItem(keyOf(room)) ?? "null");
    return { peer: idIn(note, "peer"), displaced: idIn(note, "displaced") };
  } catch {
    return { peer: undefined, displaced: undefined };
  }
}

/** Replaces the note. Where nothing can be noted a reload is like coming back later. */
export function writeNote(env: RoomEnvironment, room: string, note: TabNote): void {
  try {
    env.sessionStorage?.setItem(keyOf(room), JSON.stringify(note));
  } catch {
    // Full or forbidden.
  }
}

function keyOf(room: string): string {
  return `flotilla/${room}`;
}

function idIn(note: unknown, field: "peer" | "displaced"): PeerId | undefined {
  if (typeof note !== "object" || note === null || !(field in note)) return undefined;
  const id = (note as Readonly<Record<string, unknown>>)[field];
  return typeof id === "string" && isPeerId(id) ? id : undefined;
}
