// A browser for tests: locks, channels and databases that tabs share, and tabs that reload, are duplicated, freeze and die.
import type { RoomEnvironment, RoomMessages } from "./environment.ts";

interface Entry {
  readonly tab: FakeTab;
  readonly shared: boolean;
  readonly grant: () => void;
}

type Request = NonNullable<RoomEnvironment["locks"]>["request"];

/** Web Locks of one origin, as the specification orders them. */
class FakeLocks {
  readonly #held = new Map<string, Set<Entry>>();
  readonly #waiting = new Map<string, Entry[]>();

  request(tab: FakeTab, ...[name, options, held]: Parameters<Request>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // The code of a dead document goes on here, as it would not in a browser; nobody hears it.
      if (tab.isDead) return;
      if (options.signal?.aborted) return reject(options.signal.reason);
      const waiting = this.#waiting.get(name) ?? [];
      this.#waiting.set(name, waiting);
      const entry: Entry = {
        tab,
        shared: options.mode === "shared",
        grant: () => {
          options.signal?.removeEventListener("abort", give);
          this.#heldOf(name).add(entry);
          void Promise.resolve().then(async () => {
            if (tab.isDead) return;
            const outcome = Promise.resolve(held({ name }));
            await outcome.catch(() => {});
            this.#heldOf(name).delete(entry);
            this.#turn(name);
            outcome.then(resolve, reject);
          });
        },
      };
      const give = (): void => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(options.signal?.reason);
        this.#turn(name);
      };
      if (options.ifAvailable && (waiting.length > 0 || !this.#fits(name, entry))) return void Promise.resolve().then(() => held(null)).then(resolve, reject);
      options.signal?.addEventListener("abort", give, { once: true });
      waiting.push(entry);
      this.#turn(name);
    });
  }

  /** What the browser does when a document is gone. */
  drop(tab: FakeTab): void {
    for (const waiting of this.#waiting.values()) waiting.splice(0, waiting.length, ...waiting.filter((entry) => entry.tab !== tab));
    for (const [name, held] of this.#held) {
      for (const entry of held) if (entry.tab === tab) held.delete(entry);
      this.#turn(name);
    }
  }

  /** Names held now. */
  get names(): string[] {
    return [...this.#held].flatMap(([name, held]) => (held.size > 0 ? [name] : []));
  }

  #heldOf(name: string): Set<Entry> {
    const held = this.#held.get(name) ?? new Set();
    this.#held.set(name, held);
    return held;
  }

  #fits(name: string, entry: Entry): boolean {
    const held = this.#heldOf(name);
    return held.size === 0 || (entry.shared && [...held].every(({ shared }) => shared));
  }

  #turn(name: string): void {
    const waiting = this.#waiting.get(name) ?? [];
    for (let next = waiting[0]; next !== undefined && this.#fits(name, next); next = waiting[0]) {
      waiting.shift();
      next.grant();
    }
  }
}

/** One browser profile. */
export class FakeBrowser {
  readonly indexedDb: IDBFactory;
  readonly locks: FakeLocks = new FakeLocks();
  readonly channels: Set<{ readonly name: string; readonly tab: FakeTab; readonly heard: (message: unknown) => void }> = new Set();
  wallNow = 1_000_000;

  /** `indexedDb` is handed in, because only tests may import a fake one. */
  constructor(indexedDb: IDBFactory) {
    this.indexedDb = indexedDb;
  }

  /** A new tab with an empty session. */
  tab(session: ReadonlyMap<string, string> = new Map()): FakeTab {
    return new FakeTab(this, session);
  }
}

/** One document. */
export class FakeTab {
  readonly env: RoomEnvironment;
  readonly session: Map<string, string>;
  #tellGone = (): void => {};
  isDead = false;
  /** Resolves when the document is gone; what it waited for then never comes. */
  readonly gone: Promise<void> = new Promise((resolve) => {
    this.#tellGone = resolve;
  });
  isFrozen = false;
  readonly #browser: FakeBrowser;
  readonly #page = new EventTarget();
  #kept: (() => void)[] = [];

  constructor(browser: FakeBrowser, session: ReadonlyMap<string, string>) {
    this.#browser = browser;
    this.session = new Map(session);
    this.env = {
      indexedDb: browser.indexedDb,
      locks: { request: (...request) => browser.locks.request(this, ...request) },
      subtle: globalThis.crypto.subtle,
      sessionStorage: { getItem: (key) => this.session.get(key) ?? null, setItem: (key, value) => void this.session.set(key, value) },
      persist: undefined,
      messages: (name, heard) => this.#open(name, heard),
      page: this.#page,
      wallNow: () => (browser.wallNow += 1),
    };
  }

  /** "Duplicate tab": the session is copied. */
  duplicate(): FakeTab {
    return new FakeTab(this.#browser, this.session);
  }

  /** The old document is told, keeps its locks until `die`, and a new one begins with the same session. */
  reload(): FakeTab {
    this.#page.dispatchEvent(new Event("pagehide"));
    return new FakeTab(this.#browser, this.session);
  }

  /** Closed or crashed: the browser frees what it held. */
  die(): void {
    this.isDead = true;
    this.#tellGone();
    for (const channel of this.#browser.channels) if (channel.tab === this) this.#browser.channels.delete(channel);
    this.#browser.locks.drop(this);
  }

  thaw(): void {
    this.isFrozen = false;
    for (const deliver of this.#kept.splice(0)) deliver();
  }

  #open(name: string, heard: (message: unknown) => void): RoomMessages {
    const channel = { name, tab: this, heard };
    this.#browser.channels.add(channel);
    return {
      postMessage: (message) => {
        if (this.isDead) return;
        for (const other of this.#browser.channels) if (other !== channel && other.name === name) other.tab.#deliver(() => other.heard(structuredClone(message)));
      },
      close: () => void this.#browser.channels.delete(channel),
    };
  }

  #deliver(deliver: () => void): void {
    if (this.isFrozen) this.#kept.push(deliver);
    else void Promise.resolve().then(() => (this.isDead ? undefined : deliver()));
  }
}
