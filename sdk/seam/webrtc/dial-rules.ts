// Who dials, and what a negotiation message means to the one who gets it: decisions without effects.
import type { PeerId } from "../../base/index.ts";
import type { DialMessage } from "./dial-message.ts";
import { roleOf } from "./link.ts";

/** Glare can not happen, because of each pair only the peer with the lower id (by UTF-16 code units) dials; the other asks it to. */
export function dials(self: PeerId, other: PeerId): boolean {
  return self < other;
}

/** What one side knows of the other when a message comes in. */
export interface DialView {
  readonly selfIncarnation: string;
  /** True when this side dials. */
  readonly initiator: boolean;
  /** The other side's incarnation; empty while unknown. */
  readonly incarnation: string;
  /** Incarnations that have been replaced: whatever still comes from them is late. */
  readonly retired: ReadonlySet<string>;
  /** The newest attempt of this incarnation that was begun here; 0: none. */
  readonly attempt: number;
}

/** `begin`: answer this offer with a new attempt. `current`: a step of the newest attempt. `early`: its offer is still to come. `stale`: drop it. */
export type DialVerdict = "begin" | "current" | "early" | "stale";

/** Places one negotiation message. */
export function judgeNegotiation(view: DialView, message: DialMessage & { readonly kind: "negotiate" }): DialVerdict {
  if (message.toIncarnation !== "" && message.toIncarnation !== view.selfIncarnation) return "stale";
  if (view.retired.has(message.incarnation)) return "stale";
  const role = roleOf(message.step);
  if (view.initiator) {
    const mine = message.toIncarnation === view.selfIncarnation && message.attempt === view.attempt;
    const sameLife = view.incarnation === "" || view.incarnation === message.incarnation;
    return mine && sameLife && role !== "offer" ? "current" : "stale";
  }
  if (role === "answer") return "stale";
  const newer = message.incarnation !== view.incarnation || message.attempt > view.attempt;
  if (newer) return role === "offer" ? "begin" : "early";
  return message.attempt === view.attempt ? "current" : "stale";
}
