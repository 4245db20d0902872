// Hands committed events to followers and readers: in order, each once, whatever they do while they are called.
import type { LogIndex, Logger } from "../base/index.ts";
import type { LogEvent } from "./ordered-log.ts";

/** Where events come from when somebody starts in the past. */
export interface ReplaySource {
  readonly appliedIndex: LogIndex;
  replay(from: LogIndex, max?: number): readonly LogEvent[];
}

/** Events a reader holds ahead of its consumer; the rest waits in the log itself, and where the log was compacted the reader gets an install. */
const READ_AHEAD_MAX = 256;

interface Follower {
  readonly listener: (event: LogEvent) => void;
  /** The lowest index not yet given to it. */
  next: LogIndex;
}

/** The followers and readers of one log. */
export class LogFeed {
  readonly #source: ReplaySource;
  readonly #logger: Logger;
  readonly #followers = new Set<Follower>();
  readonly #readers = new Set<LogReader>();
  #closed = false;

  constructor(source: ReplaySource, logger: Logger) {
    this.#source = source;
    this.#logger = logger;
  }

  /** Gives `listener` what is there from `from` on, at once, then what comes. */
  follow(listener: (event: LogEvent) => void, from: LogIndex = 1): () => void {
    if (this.#closed) return () => {};
    const follower: Follower = { listener, next: from };
    this.#followers.add(follower);
    for (const event of this.#source.replay(from)) this.#give(follower, event);
    follower.next = Math.max(follower.next, this.#source.appliedIndex + 1);
    return () => void this.#followers.delete(follower);
  }

  /** An iterable whose readers each start at `from`. */
  committed(from: LogIndex = 1): AsyncIterable<LogEvent> {
    return {
      [Symbol.asyncIterator]: () => {
        const reader = new LogReader(this.#source, from, () => this.#readers.delete(reader));
        if (this.#closed) reader.end();
        else this.#readers.add(reader);
        return reader;
      },
    };
  }

  /** New events, in log order; not looked at while nobody follows. */
  deliver(news: { readonly events: readonly LogEvent[] }): void {
    if (this.#followers.size > 0) for (const event of news.events) for (const follower of this.#followers) this.#give(follower, event);
    for (const reader of this.#readers) reader.wake();
  }

  /** What was delivered may not be what the group agreed on: everybody gets an install, the beginning's where there is no other, and all commands after it. */
  beginAnew(): void {
    const events = this.#anew();
    for (const follower of this.#followers) {
      follower.next = 0;
      for (const event of events) this.#give(follower, event);
      follower.next = Math.max(follower.next, this.#source.appliedIndex + 1);
    }
    for (const reader of this.#readers) {
      reader.beginAnew(events);
      reader.wake();
    }
  }

  #anew(): readonly LogEvent[] {
    const events = this.#source.replay(1);
    return events[0]?.type === "install" ? events : [{ type: "install", index: 0, sections: new Map() }, ...events];
  }

  /** Ends every reader and forgets every follower. */
  close(): void {
    this.#closed = true;
    this.#followers.clear();
    for (const reader of this.#readers) reader.end();
  }

  /** A follower that joined while events were being handed out has replayed some of them already: its own position decides. */
  #give(follower: Follower, event: LogEvent): void {
    if (event.index < follower.next || !this.#followers.has(follower)) return;
    follower.next = event.index + 1;
    try {
      follower.listener(event);
    } catch (error) {
      // One faulty listener must neither stop the log nor the listeners beside it.
      this.#logger.error(`a follower of the log threw at index ${event.index}`, error);
    }
  }
}

type Result = IteratorResult<LogEvent, undefined>;

/** Pulls from the log itself, so a reader that never reads holds at most {@link READ_AHEAD_MAX} events. */
class LogReader implements AsyncIterator<LogEvent, undefined> {
  readonly #source: ReplaySource;
  readonly #ended: () => void;
  #next: LogIndex;
  #ahead: readonly LogEvent[] = [];
  #at = 0;
  #waiting: ((result: Result) => void)[] = [];
  #done = false;

  constructor(source: ReplaySource, from: LogIndex, ended: () => void) {
    this.#source = source;
    this.#next = from;
    this.#ended = ended;
  }

  next(): Promise<Result> {
    const event = this.#pull();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#done) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<Result> {
    this.#ahead = [];
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  wake(): void {
    while (this.#waiting.length > 0) {
      const event = this.#pull();
      if (event === undefined) return;
      this.#waiting.shift()?.({ done: false, value: event });
    }
  }

  beginAnew(events: readonly LogEvent[]): void {
    this.#ahead = events;
    this.#at = 0;
  }

  end(): void {
    this.#done = true;
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
    this.#ended();
  }

  #pull(): LogEvent | undefined {
    if (this.#at >= this.#ahead.length) {
      if (this.#done) return undefined;
      this.#ahead = this.#source.replay(this.#next, READ_AHEAD_MAX);
      this.#at = 0;
    }
    const event = this.#ahead[this.#at];
    if (event === undefined) return undefined;
    this.#at += 1;
    this.#next = event.index + 1;
    return event;
  }
}
