// A match of two in a page, which notes when the other tab goes and when a move of its own is committed after that.
import { openMatch, type Match } from "../../index.ts";

/** How the tab that stays behaves: it moves when the other one goes, or it never stops moving. */
export type HandoverMode = "one move" | "move after move";

/** What the tab that stayed saw; times in ms since 1970. */
export interface Handover {
  /** The other page's `pagehide`. */
  readonly hiddenAt: number;
  /** This tab leads. */
  readonly leadsAt: number;
  /** The first move it made when the other was gone, or had under way then, is committed. */
  readonly committedAt: number;
  readonly termsAdvanced: number;
  /** What its node became on the way. */
  readonly became: readonly string[];
}

interface Count {
  readonly moves: number;
}

const game = { name: "handover", setup: (): Count => ({ moves: 0 }), apply: ({ moves }: Count, _move: { readonly at: number }): Count => ({ moves: moves + 1 }) };
const notices = new BroadcastChannel("handover");

/** The page's side of the bench, as the script outside sees it. */
export class HandoverBench {
  #match: Match<Count, { readonly at: number }> | undefined;
  #handover: Promise<Handover> | undefined;

  async open(durability: "relaxed" | "strict"): Promise<void> {
    // Registered first, so that it tells when the page's going began.
    addEventListener("pagehide", () => notices.postMessage(Date.now()));
    this.#match = await openMatch({ game, room: "handover", durability, iceServers: [] });
  }

  get status(): { readonly phase: string; readonly leads: boolean; readonly storage: string } {
    const { phase, isLeader, storage } = this.#ofMatch.status.get();
    return { phase, leads: isLeader, storage };
  }

  /** Makes one move; says whether it was committed. */
  async play(): Promise<boolean> {
    return (await this.#ofMatch.play({ at: Date.now() })).outcome === "committed";
  }

  /** From now on it waits for the other tab to go. */
  arm(mode: HandoverMode): void {
    this.#handover = this.#watch(mode);
  }

  handover(): Promise<Handover> {
    if (this.#handover === undefined) throw new Error("not armed");
    return this.#handover;
  }

  async #watch(mode: HandoverMode): Promise<Handover> {
    const { node, status } = this.#ofMatch;
    const termBefore = node.status.term;
    const became: string[] = [];
    let leadsAt = 0;
    const offs = [
      node.on("trace", ({ name }) => {
        if (name.startsWith("Become")) became.push(name.slice("Become".length));
      }),
      node.on("status", ({ role }) => {
        if (role === "leader" && leadsAt === 0) leadsAt = Date.now();
      }),
    ];
    let hiddenAt = 0;
    const hidden = new Promise<void>((gone) => {
      notices.onmessage = ({ data }) => {
        hiddenAt = Number(data);
        gone();
      };
    });
    if (mode === "one move") await hidden;
    let isCommitted = false;
    while (!isCommitted || hiddenAt === 0 || !status.get().isLeader) isCommitted = await this.play();
    for (const off of offs) off();
    return { hiddenAt, leadsAt, committedAt: Date.now(), termsAdvanced: node.status.term - termBefore, became };
  }

  get #ofMatch(): Match<Count, { readonly at: number }> {
    if (this.#match === undefined) throw new Error("not open");
    return this.#match;
  }
}

declare global {
  var handoverBench: HandoverBench;
}

globalThis.handoverBench = new HandoverBench();
