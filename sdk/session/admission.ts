// Who may come in: a pure decision over the roster, and the port through which a game adds its own.
import type { PeerId } from "../base/index.ts";
import { freeSeat, isKicked, seatOf, type Roster } from "./roster.ts";

/** A peer at the door. */
export interface AdmissionRequest {
  readonly peer: PeerId;
  readonly name: string;
  readonly wants: "seat" | "watch";
  /** It holds a seat already: it comes back. */
  readonly returning: boolean;
  /** Seats whose owners are not here: somebody who lost what proved its identity may be one of them. */
  readonly absent: readonly { readonly seat: number; readonly peer: PeerId; readonly name: string }[];
}

/**
 * What a game's own rule says: true, why not (shown to the player), or that this is the person who sat as another peer (known by password, say):
 * it has that seat as soon as it is caught up, while the other is not here. Its old vote it never has.
 */
export type AdmissionVerdict = true | { readonly refuse: string } | { readonly seatOf: PeerId };

/** A game's own rule (password, ban, names). Asked once per peer and visit, on whoever leads; a throw or rejection refuses. */
export type Admit = (request: AdmissionRequest) => AdmissionVerdict | Promise<AdmissionVerdict>;

/** `wait`: no place now, but one may come; nobody is told. */
export type AdmissionDecision =
  | { readonly decision: "admit" }
  | { readonly decision: "wait" }
  | { readonly decision: "refuse"; readonly code: "kicked" | "full" | "spectators-closed"; readonly reason: string };

/** What the roster alone says of a request. `reserved`: seats promised to peers that are being admitted now. */
export function decideAdmission(roster: Roster, request: Pick<AdmissionRequest, "peer" | "wants">, reserved = 0): AdmissionDecision {
  if (isKicked(roster, request.peer)) {
    const reason = roster.kicked.find((entry) => entry.peer === request.peer)?.reason ?? "";
    return { decision: "refuse", code: "kicked", reason };
  }
  if (request.wants === "watch") {
    if (roster.spectators === "closed") return { decision: "refuse", code: "spectators-closed", reason: "this match takes no spectators" };
    return { decision: "admit" };
  }
  if (seatOf(roster, request.peer) !== undefined) return { decision: "admit" };
  if (freeSeat(roster) === undefined) return { decision: "refuse", code: "full", reason: `all ${roster.seats.length} seats are taken` };
  const free = roster.seats.filter((taken) => taken === undefined).length;
  return free > reserved ? { decision: "admit" } : { decision: "wait" };
}
