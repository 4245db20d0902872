// What the page says: pure functions from what is known to sentences. Not for where they are shown.
import type { MatchPlayer, MatchStatus, Seat } from "../sdk/index.ts";
import { isOver, type TicTacToe } from "./tic-tac-toe.ts";

/** All that the page knows at one moment. */
export interface Scene {
  /** Committed marks with this tab's pending ones on top. */
  readonly state: TicTacToe;
  readonly confirmed: TicTacToe;
  readonly status: MatchStatus;
  readonly players: readonly MatchPlayer[];
}

const PLACES = ["top left", "top centre", "top right", "middle left", "centre", "middle right", "bottom left", "bottom centre", "bottom right"];

/** A cell by its place on the board. */
export function placeOf(cell: number): string {
  return PLACES[cell] ?? `cell ${cell}`;
}

/** The name of whoever holds a seat, else of the mark played from it. */
export function nameOf(players: readonly MatchPlayer[], seat: Seat): string {
  return players.find((player) => player.seat === seat)?.name ?? (seat === 0 ? "Crosses" : "Noughts");
}

/** True while nobody has ever sat across the table: there is no one to play with yet. */
export function isAlone({ confirmed, players }: Scene): boolean {
  return confirmed.opener === null && players.filter((player) => player.seat !== undefined && player.presence !== "gone").length < 2;
}

const seatedAs = (who: string, seat: Seat): string => `${who} ${seat === 0 ? "crosses" : "noughts"}`;

function roundHeadline({ state, confirmed, status, players }: Scene): string {
  if (isOver(confirmed)) {
    if (confirmed.winner === null) return "A draw";
    return confirmed.winner === status.seat ? "You win this round" : `${nameOf(players, confirmed.winner)} wins this round`;
  }
  if (isOver(state)) return "One moment…";
  if (state.turn === null) return "Whoever marks first opens";
  return state.turn === status.seat ? "Your turn" : `${nameOf(players, state.turn)}’s turn`;
}

/** The one sentence above the board. */
export function headline(scene: Scene): string {
  const { phase, reason } = scene.status;
  switch (phase) {
    case "connecting":
      return "Finding the room…";
    case "closed":
      return reason === undefined ? "This match is closed" : `This match is closed: ${reason}`;
    case "reconnecting":
      return "Reconnecting…";
    case "no-quorum":
      return "Waiting for the others’ tabs";
    case "waiting":
    case "live":
      return isAlone(scene) ? "Waiting for a friend" : roundHeadline(scene);
  }
}

/** Why the page itself does not pass a mark on, else undefined: then the rules decide. */
export function notNow(scene: Scene): string | undefined {
  const { phase, spectating, seat } = scene.status;
  if (phase === "closed") return "This match is closed";
  if (spectating) return "You are watching this match";
  if (phase === "connecting" || seat === undefined) return "You have no seat yet";
  return isAlone(scene) ? "Wait for somebody to play with" : undefined;
}

// Reasons the SDK gives by a code; the game's own reasons are already meant for people.
const CODES: Readonly<Record<string, string>> = {
  "not-seated": "You are watching this match",
  closed: "This match is closed",
  busy: "Too much is under way: try again in a moment",
  "too-many-pending": "Too much is under way: try again in a moment",
};

/** What to say about a refused action; `wasShown` when its mark stood on the board and had to leave. */
export function refusal(reason: string, wasShown: boolean): string {
  const coded = CODES[reason];
  if (coded !== undefined) return coded;
  return wasShown ? `Your mark came second: ${reason}` : reason.charAt(0).toUpperCase() + reason.slice(1);
}

function boardNews(before: Scene, { confirmed, players }: Scene): string[] {
  const news: string[] = [];
  if (confirmed.round !== before.confirmed.round) news.push(`Round ${confirmed.round}${confirmed.opener === null ? "" : `: ${nameOf(players, confirmed.opener)} opens`}`);
  confirmed.board.forEach((seat, cell) => {
    const was = confirmed.round === before.confirmed.round ? before.confirmed.board[cell] : null;
    if (seat !== null && seat !== was) news.push(`${nameOf(players, seat)} marks ${placeOf(cell)}`);
  });
  if (isOver(confirmed) && !(isOver(before.confirmed) && confirmed.round === before.confirmed.round)) {
    news.push(confirmed.winner === null ? `Round ${confirmed.round} is a draw` : `${nameOf(players, confirmed.winner)} wins round ${confirmed.round}`);
  }
  return news;
}

function personNews(was: MatchPlayer | undefined, player: MatchPlayer): string[] {
  const who = player.isSelf ? "You" : player.name;
  const news: string[] = [];
  const present = was !== undefined && was.presence !== "gone";
  if (player.presence === "gone") return present ? [`${who} left`] : [];
  if (player.seat !== undefined && (!present || was.seat !== player.seat)) news.push(seatedAs(player.isSelf ? "You play" : `${who} plays`, player.seat));
  else if (!present) news.push(player.isSelf ? "You are watching" : `${who} is watching`);
  if (present && was.presence !== player.presence) news.push(player.presence === "away" ? `${who} went quiet` : `${who} is back`);
  return news;
}

function peopleNews(before: readonly MatchPlayer[], after: readonly MatchPlayer[]): string[] {
  const news = after.flatMap((player) => personNews(before.find(({ peer }) => peer === player.peer), player));
  const lost = before.filter((player) => player.presence !== "gone" && !player.isSelf && !after.some(({ peer }) => peer === player.peer));
  return [...news, ...lost.map((player) => `${player.name} left`)];
}

function leaderNews(before: Scene, { status, players }: Scene): string[] {
  if (status.leader === undefined || status.leader === before.status.leader) return [];
  const leader = players.find(({ peer }) => peer === status.leader);
  if (leader === undefined) return [];
  return [leader.isSelf ? `Your tab leads (term ${status.term})` : `${leader.name}’s tab leads (term ${status.term})`];
}

/** What happened between two moments, in the order to tell it. Empty when nothing worth telling did. */
export function news(before: Scene, after: Scene): string[] {
  return [...peopleNews(before.players, after.players), ...leaderNews(before, after), ...boardNews(before, after)];
}
