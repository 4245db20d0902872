// Two ends of the NATS transport on one server, for tests in Node and in a page: connections are real, time is turned by hand.
import type { NatsConnection } from "@nats-io/nats-core";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { NatsTransport } from "./nats-transport.ts";
import type { TransportLimits } from "./transport.ts";

/** A caller and an owner of shards, each with a connection of its own. */
export interface NatsPair {
  readonly caller: NatsTransport;
  readonly server: NatsTransport;
  readonly near: NatsConnection;
  readonly far: NatsConnection;
  /** First part of every subject: other pairs on the same server hear nothing of this one. */
  readonly prefix: string;
  readonly clock: VirtualClock;
  /** Lets `ms` pass; what was sent before or falls due meanwhile has arrived when it resolves. */
  advance(ms: number): Promise<void>;
  wallMs(): number;
}

/** Makes pairs over connections of `connect`. */
export function natsPairs(connect: () => Promise<NatsConnection>): (limits?: TransportLimits) => Promise<NatsPair> {
  let opened = 0;
  return async (limits = {}) => {
    const [near, far] = await Promise.all([connect(), connect()]);
    const clock = new VirtualClock();
    const prefix = `test-${(opened += 1)}`;
    const common = { clock, wallClock: () => 1_000_000 + clock.now(), prefix, ...limits };
    const caller = new NatsTransport({ ...common, connection: near, id: "caller" });
    const server = new NatsTransport({ ...common, connection: far, id: "server" });
    // There and back again on both: whatever was on its way has arrived.
    const settle = async (): Promise<void> => {
      for (let round = 0; round < 2; round += 1) for (const connection of [near, far]) if (!connection.isClosed()) await connection.flush();
    };
    const advance = async (ms: number): Promise<void> => {
      await settle();
      await clock.advance(ms);
      await settle();
    };
    await settle();
    return { caller, server, near, far, prefix, clock, advance, wallMs: common.wallClock };
  };
}
