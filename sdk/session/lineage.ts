// Forks of a match and their order: which of two groups that come from one match is in force. Pure.
import { expectedToken, judgeClaim, type FenceRefusal, type FenceTable, type OwnershipFence } from "../durable/index.ts";
import type { PeerId } from "../base/index.ts";

/** What a group's id says of where it comes from. */
export interface Lineage {
  /** The match all forks of it share: the id of its first group, and the session its fences are claimed for. */
  readonly root: string;
  /** 1 for the first group; every fork takes a later one. */
  readonly epoch: number;
  /** Of a fork: the token of its owner for that epoch. */
  readonly token: string | undefined;
}

/** The lineage in a group's id: `root`, or `root.epoch.token` of a fork. */
export function lineageOf(groupId: string): Lineage {
  const [, root, epoch, token] = /^(.+)\.([1-9]\d{0,8})\.([0-9a-f]{16})$/u.exec(groupId) ?? [];
  return root === undefined || epoch === undefined ? { root: groupId, epoch: 1, token: undefined } : { root, epoch: Number(epoch), token };
}

/** The id of the group with which `owner` goes on alone from `groupId`: a later epoch, by default the next, and the token that only this owner has for it. */
export function forkOf(groupId: string, owner: PeerId, later = 1): string {
  const { root, epoch } = lineageOf(groupId);
  return `${root}.${epoch + later}.${expectedToken(root, owner, epoch + later)}`;
}

/** A group, as far as its right to go on matters. */
export interface ForkView {
  readonly groupId: string;
  /** The fence committed in the group's own log, under which it is led. The first group of a match has none: it needs nobody's leave. */
  readonly fence: OwnershipFence | undefined;
}

/** The fence of `table` that a group is led under: the one of its own epoch. */
export function fenceOf(groupId: string, table: FenceTable): OwnershipFence | undefined {
  const { root, epoch } = lineageOf(groupId);
  const fence = table.get(root);
  return fence?.epoch === epoch ? fence : undefined;
}

/** Whether a group may be led: the first of a match always, a fork under the fence that its id names and no other. */
export function isHeld({ groupId, fence }: ForkView): boolean {
  const { root, epoch, token } = lineageOf(groupId);
  return token === undefined || (fence?.epoch === epoch && fence.token === token && judgeClaim(root, undefined, fence) === undefined);
}

/**
 * Why `own` must give way to `other`, judged as a claim against the fence that `other` is led under; undefined: they are not of one match, `own` is the
 * later one, or `other` has no right to be led. Two forks under one epoch are a split brain for both; the one with the lower token stays, so that both
 * sides come to the same end.
 */
export function refusedBy(own: ForkView, other: ForkView): FenceRefusal | undefined {
  const [mine, theirs] = [lineageOf(own.groupId), lineageOf(other.groupId)];
  if (mine.root !== theirs.root || own.groupId === other.groupId || !isHeld(other)) return undefined;
  const refusal = judgeClaim(mine.root, shownBy(other, theirs), shownBy(own, mine));
  const staysAsOneOfTwo = refusal?.code === "split-brain" && isHeld(own) && (mine.token ?? "") < (theirs.token ?? "");
  return staysAsOneOfTwo ? undefined : refusal;
}

/** Nobody claims the first group of a match, and any claimed one comes after it. */
function shownBy({ fence }: ForkView, { epoch, token = "" }: Lineage): OwnershipFence {
  return fence ?? { owner: "", epoch, token };
}
