// Who sits at the table and who watches.
import type { MatchPlayer, Seat } from "../sdk/index.ts";
import { element, say } from "./dom.ts";
import { drawMark, markOf } from "./marks.ts";
import { isOver } from "./tic-tac-toe.ts";
import { isAlone, type Scene } from "./words.ts";

function presenceOf(player: MatchPlayer | undefined): string {
  return player === undefined ? "free" : player.presence;
}

function standing(player: MatchPlayer | undefined): string {
  if (player === undefined) return "free seat";
  const words = [player.isSelf ? "you" : { here: "here", away: "quiet", gone: "left" }[player.presence]];
  if (player.isLeader) words.push("leads");
  return words.join(" · ");
}

function seatCard({ state, confirmed, players }: Scene, seat: Seat): HTMLLIElement {
  const player = players.find((each) => each.seat === seat);
  const name = element("span", { class: "player-name", text: player?.name ?? "—" });
  const about = element("span", { class: "player-about", text: standing(player) });
  const score = element("span", { class: "player-score", "data-testid": `score-${seat}`, "aria-label": `${confirmed.score[seat]} won`, text: String(confirmed.score[seat]) });
  return element("li", {
    class: "player",
    "data-testid": `player-${seat}`,
    "data-mark": markOf(seat),
    "data-presence": presenceOf(player),
    "data-self": String(player?.isSelf ?? false),
    "data-leads": String(player?.isLeader ?? false),
    "data-turn": String(state.turn === seat && !isOver(state)),
    children: [drawMark(seat), element("span", { class: "player-words", children: [name, about] }), score],
  });
}

/** Draws the two seats with names, scores and whose turn it is, and a line with the watchers. */
export class People {
  readonly #seats: HTMLElement;
  readonly #watchers: HTMLElement;
  #drawn = "";

  constructor(seats: HTMLElement, watchers: HTMLElement) {
    this.#seats = seats;
    this.#watchers = watchers;
  }

  render(scene: Scene): void {
    const cards = [0, 1].map((seat) => seatCard(scene, seat));
    const drawn = cards.map((card) => card.outerHTML).join("");
    if (drawn !== this.#drawn) this.#seats.replaceChildren(...cards);
    this.#drawn = drawn;
    this.#seats.toggleAttribute("data-alone", isAlone(scene));
    const watching = scene.players.filter((player) => player.seat === undefined && player.presence !== "gone");
    say(this.#watchers, `Watching: ${watching.map((player) => (player.isSelf ? `${player.name} (you)` : player.name)).join(", ")}`);
    this.#watchers.hidden = watching.length === 0;
  }
}
