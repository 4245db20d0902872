// Majorities, of one set of voters and of two at once (joint consensus, thesis §4.3). Numbers in, numbers out.

/** What a count of votes says so far. */
export type VoteResult = "won" | "lost" | "pending";

/** The smallest number of `size` voters that is more than half. */
export function majority(size: number): number {
  return Math.floor(size / 2) + 1;
}

/**
 * The largest value that a majority of `values` has reached. Sorts `values` in place.
 * No voters have nothing to object: an empty set answers infinity, so that it never limits a joint decision.
 */
export function majorityIndex(values: number[]): number {
  if (values.length === 0) return Number.POSITIVE_INFINITY;
  // Insertion sort, descending: groups are small, and this runs on every acknowledgement.
  for (let i = 1; i < values.length; i += 1) {
    const value = values[i] ?? 0;
    let at = i - 1;
    while (at >= 0 && (values[at] ?? 0) < value) {
      values[at + 1] = values[at] ?? 0;
      at -= 1;
    }
    values[at + 1] = value;
  }
  return values[majority(values.length) - 1] ?? 0;
}

/** The largest value that majorities of both sets have reached. Sorts both in place. */
export function jointIndex(incoming: number[], outgoing: number[]): number {
  return Math.min(majorityIndex(incoming), majorityIndex(outgoing));
}

/** The result of a vote among `size` voters; who did not answer may still do either. An empty set is won. */
export function majorityVote(size: number, granted: number, refused: number): VoteResult {
  if (size === 0 || granted >= majority(size)) return "won";
  return granted + (size - granted - refused) >= majority(size) ? "pending" : "lost";
}

/** Both must win; one loss loses. */
export function jointVote(incoming: VoteResult, outgoing: VoteResult): VoteResult {
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}
