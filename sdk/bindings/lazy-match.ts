// A match that opens when the first view looks at it and is left when the last has gone. For components; a page with one match may as well open it itself.
import type { Match } from "../index.ts";
import { Listeners } from "./listeners.ts";
import { closedView, listenTo, openView, type MatchView, type ViewSource } from "./match-view.ts";

/** How long a match outlives its last view, ms. Frameworks take a view down and put it up again in one go: React's StrictMode, a route that changes, hot reloading. */
export const LINGER_MS = 1_000;

/** A match by name, open while it is looked at. */
export interface LazyMatch<State, Action> extends ViewSource<State, Action> {
  /** Opens once more after `failed`. Nothing otherwise. */
  retry(): void;
}

/** What a {@link lazyMatch} can be told. */
export interface LazyMatchOptions {
  /** How long the match outlives its last view, ms. Default {@link LINGER_MS}. */
  readonly lingerMs?: number | undefined;
}

/**
 * Makes a match that `open` opens when it is first looked at: `lazyMatch((signal) => openMatch({ game, signal }))`. Make it outside of components, once per
 * match. Nothing happens before somebody listens, so it may be made, imported and rendered on a server. When the last listener has been gone for a
 * second the match is left, its seat given up; looked at again later it is opened again, after the one before has ended.
 */
export function lazyMatch<State, Action>(open: (signal: AbortSignal) => Promise<Match<State, Action>>, { lingerMs = LINGER_MS }: LazyMatchOptions = {}): LazyMatch<State, Action> {
  return new OpenWhileWatched(open, lingerMs);
}

class OpenWhileWatched<State, Action> implements LazyMatch<State, Action> {
  readonly #open: (signal: AbortSignal) => Promise<Match<State, Action>>;
  readonly #lingerMs: number;
  readonly #listeners = new Listeners();
  #view: MatchView<State, Action> = closedView("idle");
  /** Set while the match is open or being opened. */
  #attempt: AbortController | undefined;
  #stopListening: () => void = () => {};
  #lingering: ReturnType<typeof setTimeout> | undefined;
  /** Resolves when the match before has ended: the next must not meet it in its own room. */
  #ended: Promise<unknown> = Promise.resolve();

  constructor(open: (signal: AbortSignal) => Promise<Match<State, Action>>, lingerMs: number) {
    this.#open = open;
    this.#lingerMs = lingerMs;
  }

  get(): MatchView<State, Action> {
    return this.#view;
  }

  listen(listener: () => void): () => void {
    const off = this.#listeners.add(listener, () => this.#lookedAway());
    clearTimeout(this.#lingering);
    this.#begin();
    return off;
  }

  subscribe(listener: (view: MatchView<State, Action>) => void): () => void {
    let isTold = false;
    const off = this.listen(() => {
      if (isTold) listener(this.#view);
    });
    isTold = true;
    listener(this.#view);
    return off;
  }

  retry(): void {
    if (this.#view.phase !== "failed" || this.#listeners.size === 0) return;
    this.#attempt = undefined;
    this.#begin();
  }

  #begin(): void {
    if (this.#attempt !== undefined) return;
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#show(closedView("opening"));
    this.#ended = this.#enter(attempt, this.#ended);
  }

  /** Resolves when nothing of this attempt is left: it failed, or the match it opened has ended. */
  async #enter(attempt: AbortController, before: Promise<unknown>): Promise<void> {
    await before;
    if (attempt.signal.aborted) return;
    try {
      const match = await this.#open(attempt.signal);
      if (attempt.signal.aborted) return await match.leave();
      this.#take(match);
      await new Promise<void>((resolve) => attempt.signal.addEventListener("abort", () => resolve(), { once: true }));
      await match.leave();
    } catch (error) {
      if (!attempt.signal.aborted) this.#show(closedView("failed", error));
    }
  }

  #take(match: Match<State, Action>): void {
    this.#stopListening = listenTo(match, () => this.#show(openView(match, this.#view)));
    this.#show(openView(match));
  }

  #lookedAway(): void {
    if (this.#listeners.size > 0) return;
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => this.#end(), this.#lingerMs);
  }

  #end(): void {
    this.#stopListening();
    this.#stopListening = (): void => {};
    this.#view = closedView("idle");
    this.#attempt?.abort();
    this.#attempt = undefined;
  }

  #show(view: MatchView<State, Action>): void {
    if (view === this.#view) return;
    this.#view = view;
    this.#listeners.tell();
  }
}
