// Exactly once: which keys were applied already. Part of the replicated state and of every snapshot, so every node decides the same.
//
// A client numbers its commands from 1 and may have up to SERIAL_WINDOW of them open, in any order. Of each client the table keeps a floor
// (everything at or below it is settled) and a ring of the serials above it that were applied, with the index each was applied at first.
// The floor rises when the serials above it were applied without a gap, or when the client says that it will never send the lower ones.
//
// Forgetting a client is dangerous: were its table entry simply dropped, a late copy of an old command would be applied again. So the table
// keeps a horizon: the highest index at which any forgotten client was last heard. A command of a client that is not in the table is taken
// only when its `birth` (an index applied where the client lived before its first command could commit) is not below the horizon. Every
// command of a forgotten client has a birth below the client's first index, hence below the horizon, and is refused for ever; a client that
// is still in the table is never affected; a new client is born above the horizon once its node has caught up.
import { ByteReader, ByteWriter, MalformedError, type LogIndex } from "../base/index.ts";
import { CLIENT_ID_BYTES_MAX, type Envelope } from "./envelope.ts";

/** Serials of one client that may be open at a time: the distance from the lowest open one to the highest. A command beyond is refused, not applied. */
export const SERIAL_WINDOW = 1024;

/** Clients remembered; when one more appears, the one not heard for the longest is forgotten. A match sees one per tab and reload. */
export const CLIENTS_MAX = 1024;

/** The key was applied before, at an index no longer remembered. */
export const DUPLICATE_FORGOTTEN = 0;
/** The serial is further ahead of the floor than SERIAL_WINDOW; not applied, and the same key may be sent again later. */
export const REFUSED_WINDOW = -1;
/** The client was forgotten, or its node had not caught up when it first proposed; not applied. */
export const REFUSED_EXPIRED = -2;

/** Few clients ever have more than this many open, so rings start small; it is also how many first indexes are remembered at least. */
const RING_MIN = 64;

interface Session {
  floor: number;
  /** Index of the last entry that carried this client's id. */
  last: LogIndex;
  /** Slot `serial % length` holds a serial and, beside it, the index it was applied at; 0 is empty. */
  serials: number[];
  indexes: number[];
}

/** Which part of an envelope the table looks at. */
export type SessionKey = Pick<Envelope, "clientId" | "requestId" | "lowestOutstanding" | "birth">;

/** The exactly-once table. Deterministic: the same calls in the same order give the same table, byte for byte. */
export class ClientSessionTable {
  readonly #sessions = new Map<string, Session>();
  #horizon: LogIndex = 0;
  readonly #clientsMax: number;

  constructor(clientsMax: number = CLIENTS_MAX) {
    this.#clientsMax = clientsMax;
  }

  /** Clients remembered now. */
  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Decides about the entry at `index` and remembers it. Returns `index` itself when the command is new and must be applied; the lower index
   * of its first application, or `DUPLICATE_FORGOTTEN`, when it is a duplicate; a negative number when it is refused.
   */
  admit(key: SessionKey, index: LogIndex): number {
    const serial = key.requestId;
    let session = this.#sessions.get(key.clientId);
    if (session === undefined) {
      if (key.birth < this.#horizon) return REFUSED_EXPIRED;
      // A refused command leaves no trace: its client is not worth a place yet.
      if (serial > Math.max(0, key.lowestOutstanding - 1) + SERIAL_WINDOW) return REFUSED_WINDOW;
      session = { floor: 0, last: index, serials: zeros(RING_MIN), indexes: zeros(RING_MIN) };
      this.#add(key.clientId, session);
    }
    session.last = index;
    if (key.lowestOutstanding - 1 > session.floor) raiseFloor(session, key.lowestOutstanding - 1);
    const first = firstIndexIn(session, serial);
    if (first !== 0) return first;
    if (serial <= session.floor) return DUPLICATE_FORGOTTEN;
    if (serial > session.floor + SERIAL_WINDOW) return REFUSED_WINDOW;
    remember(session, serial, index);
    return index;
  }

  /** The index a key was first applied at; `DUPLICATE_FORGOTTEN` when it was applied but that is forgotten; undefined when it was not applied, as far as is known. */
  firstIndex(clientId: string, serial: number): LogIndex | undefined {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return undefined;
    const first = firstIndexIn(session, serial);
    if (first !== 0) return first;
    return serial <= session.floor ? DUPLICATE_FORGOTTEN : undefined;
  }

  /** The table's section in a snapshot. */
  encode(): Uint8Array {
    const writer = new ByteWriter().uint(this.#horizon).uint(this.#sessions.size);
    for (const [clientId, session] of this.#sessions) {
      writer.text(clientId).uint(session.floor).uint(session.last).uint(session.serials.length);
      const held = session.serials.filter((serial) => serial !== 0).length;
      writer.uint(held);
      session.serials.forEach((serial, slot) => {
        if (serial !== 0) writer.uint(serial).uint(session.last - (session.indexes[slot] ?? 0));
      });
    }
    return writer.finish();
  }

  /** The table of a section. Throws `MalformedError` for bytes {@link encode} could not have made. */
  static decode(bytes: Uint8Array, clientsMax: number = CLIENTS_MAX): ClientSessionTable {
    const reader = new ByteReader(bytes);
    const table = new ClientSessionTable(clientsMax);
    table.#horizon = reader.uint();
    const count = reader.uint();
    if (count > clientsMax) throw new MalformedError(`${count} clients where at most ${clientsMax} may stand`);
    for (let i = 0; i < count; i += 1) {
      const clientId = reader.text(CLIENT_ID_BYTES_MAX);
      if (clientId === "" || table.#sessions.has(clientId)) throw new MalformedError("a client id is empty or stands twice");
      table.#sessions.set(clientId, readSession(reader));
    }
    reader.end();
    return table;
  }

  #add(clientId: string, session: Session): void {
    if (this.#sessions.size >= this.#clientsMax) this.#forgetIdlest();
    this.#sessions.set(clientId, session);
  }

  /** No two clients share a `last`, because an entry names one client: so every node forgets the same one. */
  #forgetIdlest(): void {
    let idlest: string | undefined;
    let last = Number.POSITIVE_INFINITY;
    for (const [clientId, session] of this.#sessions) {
      if (session.last >= last) continue;
      idlest = clientId;
      last = session.last;
    }
    if (idlest === undefined) return;
    this.#sessions.delete(idlest);
    this.#horizon = Math.max(this.#horizon, last);
  }
}

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0);
}

function firstIndexIn(session: Session, serial: number): LogIndex {
  const slot = serial % session.serials.length;
  return session.serials[slot] === serial ? (session.indexes[slot] ?? 0) : 0;
}

function remember(session: Session, serial: number, index: LogIndex): void {
  while (serial > session.floor + session.serials.length) grow(session);
  const slot = serial % session.serials.length;
  session.serials[slot] = serial;
  session.indexes[slot] = index;
  if (serial === session.floor + 1) raiseFloor(session, serial);
}

/** Sets the floor, then takes along what was applied right above it. Serials below stay in the ring until their slot is needed, so that a late retry still learns its index. */
function raiseFloor(session: Session, floor: number): void {
  let at = floor;
  while (session.serials[(at + 1) % session.serials.length] === at + 1) at += 1;
  session.floor = at;
}

/** Doubling keeps two serials that had slots of their own apart: equal modulo the double means equal modulo the half. */
function grow(session: Session): void {
  const length = session.serials.length * 2;
  const serials = zeros(length);
  const indexes = zeros(length);
  session.serials.forEach((serial, slot) => {
    if (serial === 0) return;
    serials[serial % length] = serial;
    indexes[serial % length] = session.indexes[slot] ?? 0;
  });
  session.serials = serials;
  session.indexes = indexes;
}

function readSession(reader: ByteReader): Session {
  const floor = reader.uint();
  const last = reader.uint();
  const length = reader.uint();
  if (length < RING_MIN || length > SERIAL_WINDOW || (length & (length - 1)) !== 0) throw new MalformedError(`a ring of ${length} serials`);
  const session: Session = { floor, last, serials: zeros(length), indexes: zeros(length) };
  const held = reader.uint();
  let before = -1;
  for (let i = 0; i < held; i += 1) {
    const serial = reader.uint();
    const index = last - reader.uint();
    const slot = serial % length;
    if (serial === 0 || index < 1 || slot <= before || serial > floor + length) throw new MalformedError("a serial stands in the wrong place");
    before = slot;
    session.serials[slot] = serial;
    session.indexes[slot] = index;
  }
  if (firstIndexIn(session, floor + 1) !== 0) throw new MalformedError("a floor that should be higher");
  return session;
}
