// Wires the two screens to one match at a time, and the match to the address bar.
import { type Match, openMatch } from "../sdk/index.ts";
import { byId } from "./dom.ts";
import { Faults } from "./faults.ts";
import { codeOf, hashOf, Lobby, type Wish } from "./lobby.ts";
import { findServer } from "./signaling.ts";
import { Table } from "./table.ts";
import { type Action, ticTacToe, type TicTacToe } from "./tic-tac-toe.ts";

// Which room this tab was in, so that a reload goes straight back. Per tab, unlike the name.
const ROOM_KEY = "flotilla-demo:hash";
// Who only watched goes back to watching.
const WATCH_KEY = "flotilla-demo:watch";

const lobby = new Lobby((wish) => void open(wish));
const table = new Table();
let match: Match<TicTacToe, Action> | undefined;
let opening: AbortController | undefined;

function recall(key: string): string {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function keep(hash: string, isWatching = false): void {
  try {
    sessionStorage.setItem(ROOM_KEY, hash);
    sessionStorage.setItem(WATCH_KEY, isWatching ? "yes" : "");
  } catch {
    return;
  }
}

function show(screen: "lobby" | "match"): void {
  document.body.dataset["screen"] = screen;
  byId("lobby", HTMLElement).hidden = screen !== "lobby";
  for (const id of ["match", "status", "room"]) byId(id, HTMLElement).hidden = screen !== "match";
}

function setHash(hash: string): void {
  history.replaceState(null, "", hash === "" ? location.pathname + location.search : hash);
}

async function open(wish: Wish): Promise<void> {
  opening = new AbortController();
  const { signal } = opening;
  lobby.busy(true);
  setHash(wish.hash);
  try {
    const faults = new Faults(() => table.faultsChanged());
    match = await openMatch({ game: ticTacToe, name: wish.name, spectate: wish.watch, ...(await findServer()), between: faults.between, signal });
    const hash = hashOf(match.invite.url) || wish.hash;
    setHash(hash);
    keep(hash, wish.watch);
    table.open(match, faults);
    show("match");
  } catch (cause) {
    lobby.invite(wish.hash);
    lobby.trouble(signal.aborted ? "" : `That did not work: ${cause instanceof Error ? cause.message : String(cause)}`);
  } finally {
    lobby.busy(false);
  }
}

async function leave(): Promise<void> {
  const left = match;
  match = undefined;
  keep("");
  setHash("");
  table.close();
  lobby.invite("");
  show("lobby");
  await left?.leave();
}

byId("leave", HTMLButtonElement).addEventListener("click", () => void leave());
byId("give-up", HTMLButtonElement).addEventListener("click", () => opening?.abort());
// Somebody pasted another invitation into this tab: start over with it.
addEventListener("hashchange", () => location.reload());

const invited = codeOf(location.hash) === "" ? "" : location.hash;
lobby.invite(invited);
show("lobby");
if (invited !== "" && recall(ROOM_KEY) === invited) void open({ hash: invited, name: lobby.name, watch: recall(WATCH_KEY) !== "" });
