// A learner of one log that proposes: for bots, overlays and tabs that never vote.
export type { ClientEvents, ClientProposeOptions, ClientStatus, ClusterClient } from "./cluster-client.ts";
export { clusterClient, endpointsOf, type ClientIdentity, type ClusterClientOptions } from "./connect.ts";
export { coreEndpoint, type CoreEndpointOptions } from "./core-endpoint.ts";
export type { Endpoint, OpenedEndpoint } from "./endpoint.ts";
export { ClientTimeoutError, EndpointRefusedError, EndpointTimeoutError, IdentityInUseError, WindowClosedError, type EndpointRefusal } from "./errors.ts";
export { clusterClientWithNode, type NodeClientOptions } from "./log-client.ts";
export { CLIENT_PAYLOAD_BYTES_MAX, RotatingSeam, type LinkStatus, type RotationOptions } from "./rotating-seam.ts";
