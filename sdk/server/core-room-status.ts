// The rooms of a core as health and metrics show them.
import type { LogIndex, PeerId } from "../base/index.ts";

/** A room as health and metrics show it. */
export interface CoreRoomStatus {
  /** The room's group: 32 hexadecimal digits, from which its name can not be told. */
  readonly group: string;
  readonly role: string;
  readonly term: number;
  readonly commitIndex: number;
  readonly leader: PeerId | undefined;
  /** Peers in the room within this process's reach. */
  readonly peers: number;
  /** Where the core runs the game: the entry of the last action, and the digest of the state after it. */
  readonly game: { readonly index: LogIndex; readonly digest: string } | undefined;
}

const ROOM_HELP: readonly (readonly ["term" | "commitIndex" | "peers", string, string])[] = [
  ["term", "flotilla_core_room_term", "Term of a room's group, by the role of its node here."],
  ["commitIndex", "flotilla_core_room_commit_index", "Index of the last entry known to be committed."],
  ["peers", "flotilla_core_room_peers", "Peers in a room within reach of this process."],
];

/** The rooms of a core as `/metrics` shows them, each by its group. */
export function roomMetricsText(rooms: readonly CoreRoomStatus[]): string {
  if (rooms.length === 0) return "";
  const lines = (key: "term" | "commitIndex" | "peers", name: string): string => rooms.map((room) => `${name}{group="${room.group}",role="${room.role}"} ${room[key]}\n`).join("");
  return ROOM_HELP.map(([key, name, help]) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines(key, name)}`).join("");
}
