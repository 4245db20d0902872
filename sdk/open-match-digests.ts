// Carries state digests between the peers of one session, beside the log: what diverged must not have to be agreed on.
import { DigestExchange, type DigestAt, type Divergence, type GameReport } from "./game/index.ts";
import type { Seam } from "./seam/index.ts";
import type { GameSession } from "./session/index.ts";

/** What carries digests, and who hears of a difference. */
export interface DigestTraffic {
  /** Used by nothing else. Not closed with the session. */
  readonly channel: Seam;
  readonly onReport: (report: GameReport) => void;
  /** Who differs now, each time that changes. */
  readonly onDivergences: (divergences: readonly Divergence[]) => void;
}

/** Exchanges digests until the session ends. Returns what takes this peer's own. */
export function exchangeDigests(session: GameSession, { channel, onReport, onDivergences }: DigestTraffic): (at: DigestAt) => void {
  const changed = (): void => onDivergences(exchange.divergences);
  const exchange = new DigestExchange({
    groupId: session.groupId,
    onDivergence: (divergence) => {
      onReport(reportOf(divergence));
      changed();
      // Who is fed by somebody else finds its leader with another state: what it was fed is not what the group has.
      if (divergence.peer === session.node.leader) session.node.feedAnew();
    },
    onAgreement: changed,
  });
  let isDue = false;
  let known: ReadonlySet<string> = new Set(channel.peers);
  const tell = (): void => {
    isDue = false;
    if (exchange.frame !== undefined && !session.isClosed && channel.state.phase !== "torn") channel.broadcast(exchange.frame);
  };
  const soon = (): void => {
    if (isDue) return;
    isDue = true;
    // A replay takes thousands in one task; the newest is enough.
    void Promise.resolve().then(tell);
  };
  const met = (): void => {
    const before = known;
    known = new Set(channel.peers);
    for (const peer of channel.peers) if (!before.has(peer)) soon();
    for (const { peer } of exchange.divergences) if (!known.has(peer)) exchange.forget(peer);
  };
  const offs = [channel.on("frame", (from, bytes) => exchange.heard(from, bytes)), channel.on("peers", met)];
  const stop = (): void => offs.forEach((off) => off());
  if (session.isClosed) stop();
  else session.on("closed", stop);
  return (at) => {
    exchange.took(at);
    soon();
  };
}

function reportOf({ peer, index, agreedIndex, own, theirs }: Divergence): GameReport {
  const since = agreedIndex === 0 ? "no entry before it was compared" : `after entry ${agreedIndex} both were the same`;
  return { kind: "diverged", message: `peer ${peer} has another state after entry ${index} (${theirs}, here ${own}); ${since}. Is the game pure, and the same version everywhere?`, index, peer };
}
