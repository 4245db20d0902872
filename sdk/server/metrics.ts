// Counters of the server, in the plain text that Prometheus reads.

/** What the server has counted since it started, and what it holds now. */
export interface ServerCounts {
  rooms: number;
  peers: number;
  /** Peers at the relay. */
  relayed: number;
  witnesses: number;
  witnessesVoting: number;
  /** Peers connected to this process of a core. */
  corePeers: number;
  /** Other processes of the core that are linked. */
  coreLinks: number;
  /** Rooms whose node runs here. */
  coreRooms: number;
  /** Rooms closed here because their logs are as long as they may be. */
  coreRoomsFull: number;
  /** Rooms with records here. */
  coreRoomsKept: number;
  /** Rooms whose records were deleted here, because nobody had been in them for long. */
  coreRoomsForgottenTotal: number;
  /** How often somebody was refused because the core has no such room. */
  coreRoomsRefusedTotal: number;
  connectionsTotal: number;
  messagesTotal: number;
  bytesTotal: number;
  droppedTotal: number;
  refusedTotal: number;
  relayedBytesTotal: number;
  /** Pairs that ended because too much waited for the receiver. */
  relayCutTotal: number;
  /** How often somebody who spoke too fast was made to wait. */
  pausesTotal: number;
}

const HELP: readonly (readonly [keyof ServerCounts, string, "gauge" | "counter", string])[] = [
  ["rooms", "flotilla_rooms", "gauge", "Rooms with at least one peer."],
  ["peers", "flotilla_peers", "gauge", "Peers connected."],
  ["relayed", "flotilla_relayed_peers", "gauge", "Peers at the relay."],
  ["witnesses", "flotilla_witnesses", "gauge", "Groups somebody asked a witness for."],
  ["witnessesVoting", "flotilla_witnesses_voting", "gauge", "Witnesses that are voters of their group."],
  ["corePeers", "flotilla_core_peers", "gauge", "Peers connected to this process of the core."],
  ["coreLinks", "flotilla_core_links", "gauge", "Other processes of the core that are linked."],
  ["coreRooms", "flotilla_core_rooms", "gauge", "Rooms of the core whose node runs here."],
  ["coreRoomsFull", "flotilla_core_rooms_full", "gauge", "Rooms of the core closed here because their logs, kept whole without the game, are as long as they may be."],
  ["coreRoomsKept", "flotilla_core_rooms_kept", "gauge", "Rooms of the core with records here."],
  ["coreRoomsForgottenTotal", "flotilla_core_rooms_forgotten_total", "counter", "Rooms of the core whose records were deleted here because nobody had been in them for long."],
  ["coreRoomsRefusedTotal", "flotilla_core_rooms_refused_total", "counter", "Peers refused because the core has no such room."],
  ["connectionsTotal", "flotilla_connections_total", "counter", "Connections accepted."],
  ["messagesTotal", "flotilla_messages_total", "counter", "Messages forwarded to their addressee."],
  ["bytesTotal", "flotilla_bytes_total", "counter", "Bytes received."],
  ["droppedTotal", "flotilla_dropped_total", "counter", "Messages dropped: malformed, or nobody to take them."],
  ["refusedTotal", "flotilla_refused_total", "counter", "Connections refused or ended for breaking a limit."],
  ["relayedBytesTotal", "flotilla_relayed_bytes_total", "counter", "Bytes passed on by the relay."],
  ["relayCutTotal", "flotilla_relay_cut_total", "counter", "Relayed pairs ended because too much waited for the receiver."],
  ["pausesTotal", "flotilla_pauses_total", "counter", "Times somebody who spoke too fast was made to wait."],
];

/** All counters at zero. */
export function newCounts(): ServerCounts {
  return { rooms: 0, peers: 0, relayed: 0, witnesses: 0, witnessesVoting: 0, corePeers: 0, coreLinks: 0, coreRooms: 0, coreRoomsFull: 0, coreRoomsKept: 0, coreRoomsForgottenTotal: 0, coreRoomsRefusedTotal: 0, connectionsTotal: 0, messagesTotal: 0, bytesTotal: 0, droppedTotal: 0, refusedTotal: 0, relayedBytesTotal: 0, relayCutTotal: 0, pausesTotal: 0 };
}

/** The text of `/metrics`. */
export function metricsText(counts: ServerCounts): string {
  return HELP.map(([key, name, type, help]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${counts[key]}\n`).join("");
}
