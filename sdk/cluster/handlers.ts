// Ways to handle the envelopes of a shard: an object per key, an object per scope, or an actor with a mailbox per key.
import { InvalidArgumentError } from "../base/index.ts";
import { MissingKeyHeaderError, OverloadedError } from "./errors.ts";
import { getHeader, KEY_HEADER, type Envelope } from "./envelope.ts";
import type { ShardHandler } from "./transport.ts";

/** Objects kept per handler by default. */
export const HANDLER_CACHE_SIZE = 1024;
/** Messages that wait in one actor's mailbox at most; one more is refused with `OverloadedError`. */
export const MAILBOX_MAX = 10_000;

/** Keeps the most recently used values; the least recently used one goes first. */
export class LruCache<Value> {
  readonly #values = new Map<string, Value>();
  readonly #size: number;

  constructor(size: number) {
    if (!Number.isSafeInteger(size) || size < 1) throw new InvalidArgumentError(`a cache size is a whole number from 1, got ${size}`);
    this.#size = size;
  }

  get count(): number {
    return this.#values.size;
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#size) this.#values.delete(this.#values.keys().next().value ?? key);
  }

  /** Forgets the key, where it stands for this value. */
  delete(key: string, value: Value | undefined): void {
    if (this.#values.get(key) === value) this.#values.delete(key);
  }
}

/** How {@link scopedHandler} finds and makes its handlers. */
export interface ScopedHandlerOptions {
  /** The scope of an envelope; throws when it has none. */
  readonly extract: (envelope: Envelope) => string;
  /** Makes the handler of a scope; a failure fails the envelopes that wait for it and is not kept. */
  readonly create: (scope: string) => ShardHandler | Promise<ShardHandler>;
  /** Handlers kept, least recently used forgotten first. Default {@link HANDLER_CACHE_SIZE}. */
  readonly cacheSize?: number | undefined;
}

/** One handler per scope, made on its first envelope; a failed making is tried again at the next. */
export function scopedHandler({ extract, create, cacheSize = HANDLER_CACHE_SIZE }: ScopedHandlerOptions): ShardHandler {
  const cache = new LruCache<Promise<ShardHandler>>(cacheSize);
  return async (envelope, signal) => {
    const scope = extract(envelope);
    let making = cache.get(scope);
    if (making === undefined) {
      making = (async () => create(scope))();
      cache.set(scope, making);
      // Unless another one was made under this name meanwhile.
      making.catch(() => cache.delete(scope, making));
    }
    return (await making)(envelope, signal);
  };
}

/** The key an envelope was sent by. Throws `MissingKeyHeaderError` when it was sent by shard. */
export function keyOf(envelope: Envelope): string {
  const key = getHeader(envelope, KEY_HEADER);
  if (key === undefined || key === "") throw new MissingKeyHeaderError();
  return key;
}

/** One handler per key. */
export function keyHandler(create: (key: string) => ShardHandler | Promise<ShardHandler>, cacheSize: number = HANDLER_CACHE_SIZE): ShardHandler {
  return scopedHandler({ extract: keyOf, create, cacheSize });
}

interface Mailbox {
  /** The actor, while messages wait for it: the cache may forget it, its messages may not. */
  actor: Promise<ShardHandler> | undefined;
  last: Promise<unknown>;
  waiting: number;
}

/**
 * One actor per key: its messages are handled one at a time, in the order they came. An actor lives while messages wait for it, and is then kept like other
 * handlers. A message that waits takes one of the transport's running handlers, and its time runs; one that does not end, in spite of its signal, holds its
 * mailbox. Rejects with `MissingKeyHeaderError`, and with `OverloadedError` over {@link MAILBOX_MAX}.
 */
export function actorHandler(factory: (key: string) => ShardHandler | Promise<ShardHandler>, cacheSize: number = HANDLER_CACHE_SIZE): ShardHandler {
  const cache = new LruCache<Promise<ShardHandler>>(cacheSize);
  const mailboxes = new Map<string, Mailbox>();
  const make = async (key: string): Promise<ShardHandler> => factory(key);
  const turnOf = async (key: string, mailbox: Mailbox, ...[envelope, signal]: Parameters<ShardHandler>): Promise<Uint8Array | undefined> => {
    signal.throwIfAborted();
    const making = (mailbox.actor ??= cache.get(key) ?? make(key));
    cache.set(key, making);
    let actor: ShardHandler;
    try {
      actor = await making;
    } catch (error) {
      // The next message has it made again.
      mailbox.actor = undefined;
      cache.delete(key, making);
      throw error;
    }
    return actor(envelope, signal);
  };
  return async (envelope, signal) => {
    const key = keyOf(envelope);
    const mailbox = mailboxes.get(key) ?? { actor: undefined, last: Promise.resolve(), waiting: 0 };
    if (mailbox.waiting >= MAILBOX_MAX) throw new OverloadedError(MAILBOX_MAX);
    mailboxes.set(key, mailbox);
    mailbox.waiting += 1;
    const turn = mailbox.last.then(() => turnOf(key, mailbox, envelope, signal)).finally(() => {
      mailbox.waiting -= 1;
      if (mailbox.waiting === 0) mailboxes.delete(key);
    });
    mailbox.last = turn.catch(() => {});
    return turn;
  };
}
