// Questions of one process of a core to all others within reach, and the answers that come in time.
import type { PeerId } from "../base/index.ts";
import type { CoreHub, RoomWord } from "./core-hub.ts";

type Ask = RoomWord & { readonly kind: "ask" };
type Answer = RoomWord & { readonly kind: "answer" };

interface Asked {
  readonly room: string;
  readonly missing: Set<PeerId>;
  readonly answers: Map<PeerId, Answer>;
  readonly done: () => void;
}

/** How long an answer may take, ms: without it a room is opened as this process knows it. */
const ANSWER_MS_MAX = 1_000;

/** See the head of the file. */
export class CoreAsks {
  readonly #hub: () => CoreHub;
  readonly #open = new Set<Asked>();

  constructor(hub: () => CoreHub) {
    this.#hub = hub;
  }

  /** What those who are linked answer, in time. */
  async all(ask: Ask): Promise<ReadonlyMap<PeerId, Answer>> {
    const answers = new Map<PeerId, Answer>();
    const missing = new Set(this.#hub().linked);
    if (missing.size === 0) return answers;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#open.delete(asked);
        resolve();
      };
      const asked: Asked = { room: ask.room, missing, answers, done };
      const timer = setTimeout(done, ANSWER_MS_MAX);
      this.#open.add(asked);
      this.#hub().say(ask);
    });
    return answers;
  }

  /** An answer came. */
  heard(core: PeerId, answer: Answer): void {
    for (const asked of this.#open) {
      if (asked.room !== answer.room || !asked.missing.delete(core)) continue;
      asked.answers.set(core, answer);
      if (asked.missing.size === 0) asked.done();
    }
  }

  /** Nobody waits for anything any more. */
  close(): void {
    for (const { done } of this.#open) done();
  }
}
