import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLIENTS_MAX, ClientSessionTable, DUPLICATE_FORGOTTEN, REFUSED_EXPIRED, REFUSED_WINDOW, SERIAL_WINDOW } from "./client-sessions.ts";
import { SerialBook } from "./serial-book.ts";

const key = (clientId: string, requestId: number, lowestOutstanding = 0, birth = 0): { clientId: string; requestId: number; lowestOutstanding: number; birth: number } => ({ clientId, requestId, lowestOutstanding, birth });

describe("the exactly-once table", () => {
  test("[EO1][EO2] serials of several clients in any order and number: each is applied at its first index and never again", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom("x", "y", "z"), fc.integer({ min: 1, max: 300 })), { maxLength: 400 }), (arrivals) => {
        const table = new ClientSessionTable();
        const first = new Map<string, number>();
        arrivals.forEach(([client, serial], at) => {
          const index = at + 1;
          const name = `${client}/${serial}`;
          const verdict = table.admit(key(client, serial), index);
          const before = first.get(name);
          if (before === undefined) {
            expect(verdict).toBe(index);
            first.set(name, index);
          } else {
            expect([before, DUPLICATE_FORGOTTEN]).toContain(verdict);
          }
        });
      }),
      { numRuns: 300 },
    );
  });

  test("[EO1][EO2] a client that says what it still has open, with copies arriving late and twice: everything it waits for is applied once", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(1000)), { minLength: 20, maxLength: 600 }), (steps) => {
        const table = new ClientSessionTable();
        const book = new SerialBook();
        const copies: ReturnType<typeof key>[] = [];
        const open = new Set<number>();
        const applied = new Map<number, number>();
        let index = 0;
        const arrive = (copy: ReturnType<typeof key>): void => {
          index += 1;
          const verdict = table.admit(copy, index);
          const before = applied.get(copy.requestId);
          expect(verdict).not.toBe(REFUSED_WINDOW);
          if (verdict === index) {
            expect(before).toBeUndefined();
            applied.set(copy.requestId, index);
          } else if (open.has(copy.requestId)) {
            expect([before, DUPLICATE_FORGOTTEN]).toContain(verdict);
            expect(before).toBeDefined();
          }
          if (open.delete(copy.requestId)) book.settle(copy.requestId);
        };
        for (const [kind, choice] of steps) {
          if (kind < 3 && !book.isFull()) {
            const serial = book.take(undefined);
            open.add(serial);
            copies.push(key("x", serial, Math.min(book.lowest, serial)));
          } else if (copies.length > 0) {
            const copy = copies[choice % copies.length]!;
            arrive(copy);
            if (kind === 5) copies.splice(copies.indexOf(copy), 1);
          }
        }
        for (const copy of copies) arrive(copy);
        for (const serial of open) expect(applied.has(serial)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test("[EO2] serial 1 sent again after serial 2 committed is still applied", () => {
    const table = new ClientSessionTable();
    expect(table.admit(key("x", 2), 5)).toBe(5);
    expect(table.admit(key("x", 1), 6)).toBe(6);
    expect(table.admit(key("x", 1), 7)).toBe(6);
    expect(table.admit(key("x", 2), 8)).toBe(5);
    expect(table.firstIndex("x", 1)).toBe(6);
    expect(table.firstIndex("x", 3)).toBeUndefined();
  });

  test("[EO3] a serial beyond the window is refused, leaves nothing behind, and is taken once the floor has risen", () => {
    const table = new ClientSessionTable();
    expect(table.admit(key("x", SERIAL_WINDOW + 1), 1)).toBe(REFUSED_WINDOW);
    expect(table.size).toBe(0);
    expect(table.admit(key("x", SERIAL_WINDOW), 2)).toBe(2);
    expect(table.admit(key("x", SERIAL_WINDOW + 1), 3)).toBe(REFUSED_WINDOW);
    expect(table.admit(key("x", 1), 4)).toBe(4);
    expect(table.admit(key("x", SERIAL_WINDOW + 1), 5)).toBe(5);
    expect(table.admit(key("x", 10 * SERIAL_WINDOW, 9 * SERIAL_WINDOW + 1), 6)).toBe(6);
  });

  test("[EO4] a table read back from its section is the same and decides alike", () => {
    const arrivals = fc.array(fc.tuple(fc.constantFrom("x", "y", "z", "w"), fc.integer({ min: 1, max: 900 }), fc.nat(900)), { maxLength: 200 });
    fc.assert(
      fc.property(arrivals, arrivals, (before, after) => {
        const table = new ClientSessionTable(3);
        let index = 0;
        const feed = (into: ClientSessionTable, [client, serial, lowest]: readonly [string, number, number], at: number): number => into.admit(key(client, serial, Math.min(lowest, serial), at - 1), at);
        for (const arrival of before) feed(table, arrival, (index += 1));
        const copy = ClientSessionTable.decode(table.encode(), 3);
        expect(copy.encode()).toEqual(table.encode());
        for (const arrival of after) {
          index += 1;
          expect(feed(copy, arrival, index)).toBe(feed(table, arrival, index));
        }
        expect(copy.encode()).toEqual(table.encode());
      }),
      { numRuns: 200 },
    );
  });

  test("[EO4] damaged sections are malformed or decode to a table that encodes to the same bytes; nothing else is thrown", () => {
    const table = new ClientSessionTable();
    for (let at = 1; at < 60; at += 1) table.admit(key(at % 2 ? "x" : "y", (at * 7) % 50 + 1), at);
    const section = table.encode();
    fc.assert(
      fc.property(fc.nat(section.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = section.map((byte, where) => (where === at ? byte ^ flip : byte));
        try {
          const decoded = ClientSessionTable.decode(damaged);
          expect(ClientSessionTable.decode(decoded.encode()).encode()).toEqual(decoded.encode());
        } catch (error) {
          expect(error).toMatchObject({ code: "malformed" });
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("[EO5] however many clients come: at most the limit is remembered, none is ever applied twice, living ones go on", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(11), fc.integer({ min: 1, max: 5 })), { minLength: 50, maxLength: 400 }), (arrivals) => {
        const table = new ClientSessionTable(4);
        const births = new Map<string, number>();
        const applied = new Set<string>();
        const lastHeard = new Map<string, number>();
        arrivals.forEach(([client, serial], at) => {
          const index = at + 1;
          const clientId = `client ${client}`;
          // Born when it first proposed: below the index of its first command, however late further copies come.
          if (!births.has(clientId)) births.set(clientId, at);
          const verdict = table.admit(key(clientId, serial, 0, births.get(clientId)!), index);
          if (verdict === index) {
            expect(applied.has(`${clientId}/${serial}`)).toBe(false);
            applied.add(`${clientId}/${serial}`);
          }
          if (verdict === REFUSED_EXPIRED) {
            // Only somebody who was forgotten is refused: four others were heard since.
            const since = [...lastHeard.values()].filter((last) => last > (lastHeard.get(clientId) ?? -1)).length;
            expect(lastHeard.has(clientId)).toBe(true);
            expect(since).toBeGreaterThanOrEqual(4);
          } else {
            lastHeard.set(clientId, index);
          }
          expect(table.size).toBeLessThanOrEqual(4);
        });
      }),
      { numRuns: 300 },
    );
  });

  test("[EO5] the limit holds at its written size", () => {
    const table = new ClientSessionTable();
    for (let client = 1; client <= CLIENTS_MAX + 1; client += 1) expect(table.admit(key(`c${client}`, 1, 0, client - 1), client)).toBe(client);
    expect(table.size).toBe(CLIENTS_MAX);
    expect(table.admit(key("c1", 1, 0, 0), CLIENTS_MAX + 2)).toBe(REFUSED_EXPIRED);
    expect(table.admit(key("c2", 2, 0, 1), CLIENTS_MAX + 3)).toBe(CLIENTS_MAX + 3);
    expect(table.admit(key("new", 1, 0, CLIENTS_MAX), CLIENTS_MAX + 4)).toBe(CLIENTS_MAX + 4);
  });
});

describe("a writer's serials", () => {
  test("one that stays open holds the lowest until it falls a window behind, then it is given up", () => {
    const book = new SerialBook();
    const stuck = book.take(undefined);
    book.leaveOpen(stuck);
    for (let round = 1; round < SERIAL_WINDOW; round += 1) book.settle(book.take(undefined));
    expect(book.lowest).toBe(stuck);
    expect(book.take(stuck)).toBe(stuck);
    expect(book.isFull()).toBe(true);
    book.leaveOpen(stuck);
    book.settle(book.take(undefined));
    expect(book.lowest).toBe(book.last + 1);
    expect(() => book.take(stuck)).toThrow(/given up/);
  });

  test("[EO8] whoever names the serials itself may leave a gap of any size, and what is under way is not given up for it", () => {
    const book = new SerialBook();
    const [first, second] = [book.take(undefined), book.take(undefined)];
    // The first is let go, the second is under way: a jump past its window has to wait, and one that stays inside it has not.
    book.leaveOpen(first);
    expect([book.isFull(second + SERIAL_WINDOW), book.isFull(1_764_000_000_000), book.isFull(second + SERIAL_WINDOW - 1), book.isFull(first)]).toEqual([true, true, false, false]);
    book.settle(second);
    const far = Number.MAX_SAFE_INTEGER - 10;
    expect(book.isFull(far)).toBe(false);
    book.settle(book.take(far));
    expect([book.last, book.lowest]).toEqual([far, far - SERIAL_WINDOW + 1]);
    expect(book.take(undefined)).toBe(far + 1);
  });

  test("[EO8] as many as may be open are counted from the lowest under way, also where one below it was let go", () => {
    const book = new SerialBook();
    book.leaveOpen(book.take(undefined));
    for (let open = 0; open < SERIAL_WINDOW; open += 1) {
      expect(book.isFull()).toBe(false);
      book.take(undefined);
    }
    expect(book.isFull()).toBe(true);
    expect(book.last).toBeLessThan(book.lowest + SERIAL_WINDOW);
  });

  test("serials that are no whole numbers from 1 are refused", () => {
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53]) expect(() => new SerialBook().take(bad)).toThrow(/whole number/);
  });
});
