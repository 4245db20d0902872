// The second screen: a running match on the page, redrawn whenever one of its atoms changes.
import type { Match } from "../sdk/index.ts";
import { createBoard, isPending, type Board } from "./board.ts";
import { Chat } from "./chat.ts";
import { byId, element, say } from "./dom.ts";
import type { Faults } from "./faults.ts";
import { Inspector } from "./inspector.ts";
import { Invite } from "./invite.ts";
import { People } from "./people.ts";
import { Standstill } from "./standstill.ts";
import { StatusBar } from "./status.ts";
import { type Action, isOver, type TicTacToe } from "./tic-tac-toe.ts";
import { headline, isAlone, news, notNow, refusal, type Scene } from "./words.ts";

const NOTICE_MS = 6000;
const STORY_LINES_MAX = 60;

function sceneOf(match: Match<TicTacToe, Action>): Scene {
  return { state: match.state.get(), confirmed: match.confirmed.get(), status: match.status.get(), players: match.players.get() };
}

/** Everything a match shows. One per page; it is opened on one match after the other. */
export class Table {
  readonly #board: Board = createBoard(byId("board", HTMLElement), (cell) => void this.#mark(cell));
  readonly #people: People = new People(byId("players", HTMLElement), byId("watchers", HTMLElement));
  readonly #invite: Invite = new Invite();
  readonly #chat: Chat = new Chat();
  readonly #inspector: Inspector = new Inspector();
  readonly #standstill: Standstill = new Standstill();
  readonly #headline: HTMLElement = byId("headline", HTMLElement);
  readonly #notice: HTMLElement = byId("notice", HTMLElement);
  readonly #story: HTMLElement = byId("story", HTMLElement);
  readonly #rematch: HTMLButtonElement = byId("rematch", HTMLButtonElement);
  readonly #goOn: HTMLButtonElement = byId("go-on", HTMLButtonElement);
  #match: Match<TicTacToe, Action> | undefined;
  #status: StatusBar | undefined;
  #before: Scene | undefined;
  #offs: (() => void)[] = [];
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;
  #drawing = false;

  constructor() {
    this.#rematch.addEventListener("click", () => void this.#playRematch());
    this.#goOn.addEventListener("click", () => void this.#goOnAlone());
  }

  /** Shows this match, which has these faults between it and its world, until `close`. */
  open(match: Match<TicTacToe, Action>, faults: Faults): void {
    this.close();
    this.#match = match;
    this.#status = new StatusBar(byId("status", HTMLElement), match.status.get());
    this.#invite.open(match.invite);
    this.#chat.open(match);
    this.#inspector.open(match, faults);
    this.#standstill.open(faults);
    const redraw = (): void => this.#redraw();
    this.#offs = [match.state.listen(redraw), match.confirmed.listen(redraw), match.status.listen(redraw), match.players.listen(redraw)];
    this.#render();
  }

  /** Stops following the match and forgets what was said about it. */
  close(): void {
    for (const off of this.#offs) off();
    this.#offs = [];
    this.#match = undefined;
    this.#before = undefined;
    this.#story.replaceChildren();
    this.#chat.close();
    this.#inspector.close();
    this.#standstill.close();
    this.#note("");
  }

  /** Something was broken, or mended. */
  faultsChanged(): void {
    this.#standstill.render();
    this.#inspector.render();
  }

  // One change of the match moves several atoms in one task; the page is drawn once, before the browser paints.
  #redraw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    queueMicrotask(() => {
      this.#drawing = false;
      this.#render();
    });
  }

  #render(): void {
    if (this.#match === undefined) return;
    const scene = sceneOf(this.#match);
    say(this.#headline, headline(scene));
    this.#board.render(scene);
    this.#people.render(scene);
    this.#status?.render(scene.status);
    this.#inspector.render();
    this.#invite.show({ isWaiting: isAlone(scene) && !scene.status.spectating && scene.status.phase === "waiting", isFull: scene.players.filter(({ seat }) => seat !== undefined).length >= 2 });
    this.#offer(this.#rematch, isOver(scene.confirmed) && scene.status.seat !== undefined && scene.status.phase !== "closed");
    this.#offer(this.#goOn, scene.status.phase === "no-quorum" && scene.status.seat !== undefined);
    this.#chat.enable(scene.status.phase !== "closed");
    this.#tell(scene);
    document.title = scene.state.turn === scene.status.seat && scene.status.seat !== undefined ? "Your turn · Flotilla" : "Flotilla · tic-tac-toe";
  }

  // A button that vanishes under the keyboard would drop the focus to the page's top.
  #offer(button: HTMLButtonElement, offered: boolean): void {
    const hadFocus = document.activeElement === button;
    button.hidden = !offered;
    if (!offered && hadFocus) this.#board.focus();
  }

  #tell(scene: Scene): void {
    const empty: Scene = { ...scene, players: [], confirmed: { ...scene.confirmed, board: [] }, status: { ...scene.status, leader: undefined } };
    for (const line of news(this.#before ?? empty, scene)) this.#story.append(element("li", { text: line }));
    while (this.#story.childElementCount > STORY_LINES_MAX) this.#story.firstElementChild?.remove();
    this.#story.scrollTop = this.#story.scrollHeight;
    this.#before = scene;
  }

  async #mark(cell: number): Promise<void> {
    const match = this.#match;
    if (match === undefined) return;
    const refused = notNow(sceneOf(match));
    if (refused !== undefined) return this.#note(refused);
    this.#note("");
    const seat = match.status.get().seat;
    const outcome = match.play({ type: "mark", cell });
    const wasShown = isPending(sceneOf(match), cell);
    const result = await outcome.catch(() => undefined);
    if (this.#match !== match) return;
    if (result === undefined) return this.#note("Nobody could confirm that mark yet");
    if (result.outcome === "committed") return;
    this.#note(refusal(result.reason, wasShown));
    if (wasShown && seat !== undefined) this.#board.dismiss(cell, seat);
  }

  async #goOnAlone(): Promise<void> {
    // Nothing came of it: whoever was missed is back, which shows by itself.
    await this.#match?.continueWithout().catch(() => undefined);
  }

  async #playRematch(): Promise<void> {
    // Both may ask at once; the second request finds a fresh round and is refused, which nobody needs to read.
    await this.#match?.play({ type: "rematch" }).catch(() => undefined);
  }

  #note(text: string): void {
    clearTimeout(this.#noticeTimer);
    say(this.#notice, text);
    if (text !== "") this.#noticeTimer = setTimeout(() => say(this.#notice, ""), NOTICE_MS);
  }
}
