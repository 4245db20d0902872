// Forks of a match and their order: which of two groups that come from one match is in force. Pure.
import { expectedToken, judgeClaim, SplitBrainError, type FenceRefusal, type OwnershipFence } from "../durable/index.ts";
import type { PeerId } from "../base/index.ts";

/** What a group's id says of where it comes from. */
export interface Lineage {
  /** The match all forks of it share: the id of its first group. */
  readonly root: string;
  /** 1 for the first group; every fork takes the next one. */
  readonly epoch: number;
  /** Of a fork: the token of its owner for that epoch. */
  readonly token: string | undefined;
}

/** The lineage in a group's id: `root`, or `root.epoch.token` of a fork. */
export function lineageOf(groupId: string): Lineage {
  const [, root, epoch, token] = /^(.+)\.([1-9]\d{0,8})\.([0-9a-f]{16})$/u.exec(groupId) ?? [];
  return root === undefined || epoch === undefined ? { root: groupId, epoch: 1, token: undefined } : { root, epoch: Number(epoch), token };
}

/** The id of the group with which `owner` goes on alone from `groupId`: the next epoch, and the token that only this owner has for it. */
export function forkOf(groupId: string, owner: PeerId): string {
  const { root, epoch } = lineageOf(groupId);
  return `${root}.${epoch + 1}.${expectedToken(root, owner, epoch + 1)}`;
}

/** A group somebody leads, as far as its right to go on matters. */
export interface ForkView {
  readonly groupId: string;
  readonly leader: PeerId;
}

/**
 * Why `own` must give way to `other`, or undefined: they are not of one match, or `own` is the later one. Two forks under one epoch are decided
 * by the token, so that both sides come to the same end; the one that gives way is told of a split brain.
 */
export function refusedBy(own: ForkView, other: ForkView): FenceRefusal | undefined {
  const [mine, theirs] = [lineageOf(own.groupId), lineageOf(other.groupId)];
  if (mine.root !== theirs.root || own.groupId === other.groupId) return undefined;
  if (mine.epoch === theirs.epoch) return (mine.token ?? "") < (theirs.token ?? "") ? undefined : new SplitBrainError(other.leader, own.leader, mine.epoch);
  const fenceOf = ({ leader }: ForkView, { epoch, token = "" }: Lineage): OwnershipFence => ({ owner: leader, epoch, token });
  const refusal = judgeClaim(mine.root, fenceOf(other, theirs), fenceOf(own, mine));
  // A later epoch is granted; that its token fits is for the log to say, not for two leaders' ids.
  return refusal?.code === "invalid-token" ? undefined : refusal;
}
