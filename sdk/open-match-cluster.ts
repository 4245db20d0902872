// The ground a match's shards stand on: one session, its log, and who sits at the table.
import type { ClusterGround } from "./cluster/index.ts";
import { raftConfig } from "./replica/index.ts";
import type { GameSession, SessionOptions } from "./session/index.ts";

/** Channel tag of everything a match's shards say to each other. */
export const CLUSTER_TAG = 8;

/** Between the clocks of two tabs, and on the way between them, ms. */
const SLACK_MS = 500;

/** What a cluster sees of a session: seated peers that are not gone may own shards, and who leads assigns them. */
export function groundOf(session: GameSession, { evictAfterMs = 10_000, raftConfig: config }: Pick<SessionOptions, "evictAfterMs" | "raftConfig">): ClusterGround {
  // A node that hears nobody notices within an election timeout; the others count it as gone after the eviction window.
  const letGoAfterMs = Math.max(0, evictAfterMs - raftConfig(config).electionTimeoutMsMax - SLACK_MS);
  const { node, presence } = session;
  return {
    log: node,
    letGoAfterMs,
    get isLeading() {
      return !session.isClosed && node.role === "leader";
    },
    get hasQuorum() {
      return !session.isClosed && node.status.hasQuorum;
    },
    seated: () => session.roster.seats.flatMap((taken) => {
      if (taken === undefined || presence.farewellOf(taken.peer) !== undefined) return [];
      const standing = session.standingOf(taken.peer);
      return standing === "gone" ? [] : [{ peer: taken.peer, standing }];
    }),
    onChange: (listener) => session.on("change", listener),
  };
}
