// Work split over peers by shard: who owns what, how callers reach it, and how it is handled there.
export { ClusterNode, NODE_INFO_TYPE, type ClusterNodeOptions, type NodeInfo } from "./cluster-node.ts";
export { decodeEnvelope, encodeEnvelope, ENVELOPE_LIMITS, envelopeFault, expired, getHeader, KEY_HEADER, RESERVED_HEADER_PREFIX, ttl, validateEnvelope, withHeader, withTtl, type Envelope, type EnvelopeOption } from "./envelope.ts";
export { ANSWER_GRACE_MS } from "./call-book.ts";
export { CallCancelledError, EnvelopeExpiredError, HandlerFailedError, HandlerTimeoutError, KeyRequiredError, MissingKeyHeaderError, NoShardSubscriberError, OverloadedError, OwnerGoneError, ReservedHeaderError, ShardMovedError, TransportClosedError } from "./errors.ts";
export { actorHandler, HANDLER_CACHE_SIZE, keyHandler, keyOf, MAILBOX_MAX, scopedHandler, type ScopedHandlerOptions } from "./handlers.ts";
export { type HandlerPoolOptions } from "./handler-pool.ts";
export { MemoryTransport } from "./memory-transport.ts";
export { CLUSTER_METRICS, noMetrics, openTelemetryMetrics, promClientMetrics, type ClusterMetrics, type OtelMeter, type PromClient } from "./metrics.ts";
export { createRequest, messageTypeOf, ShardClient, type ScopedClient, type ShardCallOptions, type ShardClientOptions } from "./shard-client.ts";
export { shardFromString, shardsForNode, SHARDS_MAX, ShardTable } from "./shard.ts";
export { createTestCluster, type TestCluster, type TestClusterOptions } from "./test-cluster.ts";
export { SeamTransport, type SeamTransportOptions } from "./seam-transport.ts";
export { CALLS_PER_CALLER_MAX, OPEN_CALLS_MAX, WAITING_REQUESTS_MAX, type CallOptions, type ShardHandler, type Transport, type TransportLimits } from "./transport.ts";
