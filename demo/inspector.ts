// The panel that shows what happens underneath: who is in the group, what is agreed on, and buttons that break something. Reads the match and never writes it.
import type { Match, NodeStatus, PeerId, RaftNode } from "../sdk/index.ts";
import { byId, element, put, say } from "./dom.ts";
import type { Faults } from "./faults.ts";
import { LogTail, type TailEntry } from "./log-tail.ts";
import { peersOf, quorumOf, tripOf, type PeerRow } from "./peers.ts";
import type { Action, TicTacToe } from "./tic-tac-toe.ts";

type Played = Match<TicTacToe, Action>;

/** Alt and this key open and close the panel. */
const KEY = "KeyI";

const ROLES: Readonly<Record<PeerRow["role"], string>> = { leader: "leads", voter: "votes", learner: "learns", witness: "witness, votes", watching: "is fed" };

function linkOf({ isSelf, isCut, isLinked, isRelayed, presence, role }: PeerRow): string {
  if (isSelf) return "this tab";
  if (isCut) return "cut off";
  if (role === "witness") return "at the server";
  if (presence === "away") return "silent";
  if (presence === "gone") return "gone";
  if (!isLinked) return "no link";
  return isRelayed ? "relayed" : "linked";
}

/** One line of the table of tabs, kept as long as the peer is shown, so that the focus stays on its button. */
class Row {
  readonly root: HTMLTableRowElement;
  readonly #name = element("span", { class: "peer-name" });
  readonly #role = element("span", { class: "peer-role" });
  readonly #trip = element("td", { class: "peer-trip" });
  readonly #cut = element("button", { type: "button", class: "small" });

  constructor(peer: PeerId, toggle: () => void) {
    this.#cut.addEventListener("click", toggle);
    const who = element("th", { scope: "row", children: [this.#name, this.#role] });
    this.root = element("tr", { "data-testid": "peer", "data-peer": peer, children: [who, this.#trip, element("td", { children: [this.#cut] })] });
  }

  render(row: PeerRow): void {
    const { name, role, isSelf, isCut, roundTripMs, presence } = row;
    put(this.root, "data-name", name);
    put(this.root, "data-role", role);
    put(this.root, "data-presence", presence);
    put(this.root, "data-cut", String(isCut));
    say(this.#name, isSelf ? `${name} (you)` : name);
    say(this.#role, `${ROLES[role]} · ${linkOf(row)}`);
    say(this.#trip, isSelf ? "" : tripOf(roundTripMs));
    this.#cut.hidden = isSelf || role === "witness";
    say(this.#cut, isCut ? "Mend" : "Cut");
    put(this.#cut, "aria-label", isCut ? `Mend the link to ${name}` : `Cut the link to ${name}`);
  }
}

/** The inspector of one match at a time. */
export class Inspector {
  readonly #root: HTMLElement = byId("inspector", HTMLElement);
  readonly #toggle: HTMLButtonElement = byId("inspect", HTMLButtonElement);
  readonly #facts: ReadonlyMap<string, HTMLElement>;
  readonly #peers: HTMLElement = byId("inspector-peers", HTMLElement);
  readonly #log: HTMLElement = byId("inspector-log", HTMLElement);
  readonly #cutAll: HTMLButtonElement = byId("cut-all", HTMLButtonElement);
  readonly #rows = new Map<PeerId, Row>();
  #match: Played | undefined;
  #faults: Faults | undefined;
  #node: RaftNode | undefined;
  #tail = new LogTail();
  #offs: (() => void)[] = [];
  #drawn = "";
  #isDrawing = false;

  constructor() {
    this.#facts = new Map([...byId("inspector-facts", HTMLElement).querySelectorAll<HTMLElement>("[data-fact]")].map((shown) => [shown.dataset["fact"] ?? "", shown]));
    this.#toggle.addEventListener("click", () => this.#show(this.#root.hidden !== false));
    this.#cutAll.addEventListener("click", () => this.#cutOrMendAll());
    addEventListener("keydown", (event) => {
      if (!event.altKey || event.ctrlKey || event.metaKey || event.code !== KEY || this.#match === undefined) return;
      event.preventDefault();
      this.#show(this.#root.hidden !== false);
    });
  }

  /** Follows this match, and breaks what its tab can break, until `close`. */
  open(match: Played, faults: Faults): void {
    this.#match = match;
    this.#faults = faults;
    this.render();
  }

  close(): void {
    this.#unfollow();
    this.#match = undefined;
    this.#faults = undefined;
    this.#rows.clear();
    this.#peers.replaceChildren();
    this.#show(false);
  }

  /** Something of the match, of its node or of the faults may have changed. Drawn once per frame, and only while somebody looks. */
  render(): void {
    this.#follow();
    if (this.#isDrawing || this.#root.hidden) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#draw();
    });
  }

  #show(isShown: boolean): void {
    const hadFocus = this.#root.contains(document.activeElement);
    this.#root.hidden = !isShown;
    put(this.#toggle, "aria-expanded", String(isShown));
    this.#root.closest(".match")?.toggleAttribute("data-inspected", isShown);
    if (!isShown && hadFocus) this.#toggle.focus();
    if (!isShown) return;
    this.#draw();
    this.#root.scrollIntoView({ block: "nearest" });
  }

  /** The node of a match is another one after it came back, or went on alone. */
  #follow(): void {
    const node = nodeOf(this.#match);
    if (node === this.#node) return;
    this.#unfollow();
    this.#node = node;
    if (node === undefined) return;
    this.#tail = new LogTail();
    const again = (): void => this.render();
    this.#offs = [node.on("trace", (event) => this.#tail.traced(event)), node.follow((event) => this.#tail.committed(event)), node.on("status", again)];
  }

  #unfollow(): void {
    for (const off of this.#offs) off();
    this.#offs = [];
    this.#node = undefined;
  }

  #draw(): void {
    const [match, faults] = [this.#match, this.#faults];
    if (match === undefined || faults === undefined) return;
    const [status, players, node] = [match.status.get(), match.players.get(), this.#node?.status];
    const rows = peersOf({ status, players, membership: node?.membership, isCut: (peer) => faults.isCut(peer) });
    this.#drawFacts(match, node);
    this.#drawRows(rows, faults);
    const others = rows.filter(({ isSelf, role }) => !isSelf && role !== "witness");
    const isAllCut = others.length > 0 && others.every(({ isCut }) => isCut);
    say(this.#cutAll, isAllCut ? "Mend all links" : "Cut all links");
    // Nothing more can be done to the dead.
    for (const button of this.#root.querySelectorAll<HTMLButtonElement>("button")) button.disabled = faults.state === "killed";
    this.#cutAll.disabled ||= others.length === 0;
    this.#drawLog(this.#tail.upTo(node?.appliedIndex ?? 0), new Map(rows.map(({ peer, name }) => [peer, name])));
  }

  #drawFacts(match: Played, node: NodeStatus | undefined): void {
    const { role, term, commitIndex, pendingCount, storage, storageNote, phase } = match.status.get();
    const facts: Readonly<Record<string, string>> = {
      role: this.#faults?.state === "running" ? role : `${role}, ${this.#faults?.state}`,
      term: String(term),
      commit: String(commitIndex),
      applied: String(node?.appliedIndex ?? "–"),
      quorum: quorumOf(node?.membership),
      pending: String(pendingCount),
      storage: storageNote === undefined ? storage : `${storage}: ${storageNote}`,
      phase,
    };
    for (const [name, shown] of this.#facts) say(shown, facts[name] ?? "");
  }

  #drawRows(rows: readonly PeerRow[], faults: Faults): void {
    for (const [peer, row] of this.#rows) {
      if (rows.some((each) => each.peer === peer)) continue;
      row.root.remove();
      this.#rows.delete(peer);
    }
    rows.forEach((each, at) => {
      const row = this.#rows.get(each.peer) ?? new Row(each.peer, () => (faults.isCut(each.peer) ? faults.mend(each.peer) : faults.cut(each.peer)));
      this.#rows.set(each.peer, row);
      row.render(each);
      if (this.#peers.children[at] !== row.root) this.#peers.insertBefore(row.root, this.#peers.children[at] ?? null);
    });
  }

  #drawLog(entries: readonly TailEntry[], names: ReadonlyMap<string, string>): void {
    const drawn = JSON.stringify([entries, [...names]]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const line = ({ index, term, proposer, what }: TailEntry): HTMLLIElement => {
      const who = proposer === undefined ? "" : `${names.get(proposer) ?? "Somebody"}: `;
      const parts = [element("b", { text: String(index) }), element("span", { class: "entry-term", text: term === undefined ? "" : `term ${term}` }), element("span", { class: "entry-what", text: `${who}${what}` })];
      return element("li", { "data-index": String(index), "data-term": String(term ?? ""), children: parts });
    };
    this.#log.replaceChildren(...entries.map(line));
  }

  #cutOrMendAll(): void {
    const [match, faults] = [this.#match, this.#faults];
    if (match === undefined || faults === undefined) return;
    const others = [...this.#rows.keys()].filter((peer) => peer !== match.status.get().selfId);
    const isAllCut = others.every((peer) => faults.isCut(peer));
    for (const peer of others) if (isAllCut) faults.mend(peer);
    else faults.cut(peer);
  }
}

/** Undefined while the match is on its way in or back. */
function nodeOf(match: Played | undefined): RaftNode | undefined {
  try {
    return match?.node;
  } catch {
    return undefined;
  }
}
