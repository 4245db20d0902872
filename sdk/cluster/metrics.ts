// What a cluster reports, under names that dashboards can rely on. Nothing by default.

/** Names of the counters, gauges and histograms. */
export const CLUSTER_METRICS: {
  readonly requestDuration: string;
  readonly requests: string;
  readonly notifies: string;
  readonly transportErrors: string;
  readonly handlerDuration: string;
  readonly handlers: string;
  readonly handlersActive: string;
  readonly shardsOwned: string;
} = {
  requestDuration: "clstr_cluster_request_duration_seconds",
  requests: "clstr_cluster_requests_total",
  notifies: "clstr_cluster_notifies_total",
  transportErrors: "clstr_cluster_transport_errors_total",
  handlerDuration: "clstr_cluster_handler_duration_seconds",
  handlers: "clstr_cluster_handlers_total",
  handlersActive: "clstr_cluster_handlers_active",
  shardsOwned: "clstr_cluster_shards_owned",
};

/** Receives what happens. Durations in seconds; `ok` is whether the call succeeded; `code` is the error's. Must not throw. */
export interface ClusterMetrics {
  /** A client's request ended; `seconds` spans all its retries. */
  request(type: string, ok: boolean, seconds: number): void;
  /** A client's notification was handed over, or failed after its retries. */
  notify(type: string, ok: boolean): void;
  /** One attempt of a client's call failed, retried or not; `unknown` for errors without a code. */
  transportError(code: string): void;
  /** A handler on this node ended; `seconds` is its own run. */
  handler(type: string, ok: boolean, seconds: number): void;
  /** A handler on this node began (1) or ended (-1). */
  handlersActive(change: 1 | -1): void;
  /** How many shards this node serves now, as a whole and not as a change. */
  shardsOwned(count: number): void;
}

/** Reports nothing. */
export const noMetrics: ClusterMetrics = { request: () => {}, notify: () => {}, transportError: () => {}, handler: () => {}, handlersActive: () => {}, shardsOwned: () => {} };

interface PromCounter { inc(labels: Record<string, string>, value?: number): void }
interface PromGauge { inc(value?: number): void; dec(value?: number): void; set(value: number): void }
interface PromHistogram { observe(labels: Record<string, string>, value: number): void }

/** The part of prom-client that is used; pass the module itself. */
export interface PromClient<Registry> {
  readonly Counter: new (options: { name: string; help: string; labelNames: string[]; registers: Registry[] }) => PromCounter;
  readonly Gauge: new (options: { name: string; help: string; registers: Registry[] }) => PromGauge;
  readonly Histogram: new (options: { name: string; help: string; labelNames: string[]; registers: Registry[] }) => PromHistogram;
}

/** Reports to a prom-client registry. */
export function promClientMetrics<Registry>(prom: PromClient<Registry>, registry: Registry): ClusterMetrics {
  const common = { labelNames: ["type", "ok"], registers: [registry] };
  const requests = new prom.Counter({ ...common, name: CLUSTER_METRICS.requests, help: "Requests made, by message type and success" });
  const notifies = new prom.Counter({ ...common, name: CLUSTER_METRICS.notifies, help: "Notifications sent, by message type and success" });
  const errors = new prom.Counter({ ...common, labelNames: ["code"], name: CLUSTER_METRICS.transportErrors, help: "Transport errors, by code" });
  const handlers = new prom.Counter({ ...common, name: CLUSTER_METRICS.handlers, help: "Handlers run, by message type and success" });
  const requestDuration = new prom.Histogram({ ...common, name: CLUSTER_METRICS.requestDuration, help: "Time from request to answer, seconds" });
  const handlerDuration = new prom.Histogram({ ...common, name: CLUSTER_METRICS.handlerDuration, help: "Time in the handler, seconds" });
  const active = new prom.Gauge({ registers: [registry], name: CLUSTER_METRICS.handlersActive, help: "Handlers running" });
  const owned = new prom.Gauge({ registers: [registry], name: CLUSTER_METRICS.shardsOwned, help: "Shards this node owns" });
  const labels = (type: string, ok: boolean): Record<string, string> => ({ type, ok: String(ok) });
  return {
    request: (type, ok, seconds) => {
      requests.inc(labels(type, ok));
      requestDuration.observe(labels(type, ok), seconds);
    },
    notify: (type, ok) => notifies.inc(labels(type, ok)),
    transportError: (code) => errors.inc({ code }),
    handler: (type, ok, seconds) => {
      handlers.inc(labels(type, ok));
      handlerDuration.observe(labels(type, ok), seconds);
    },
    handlersActive: (change) => (change === 1 ? active.inc() : active.dec()),
    shardsOwned: (count) => owned.set(count),
  };
}

interface OtelInstrument { add(value: number, attributes?: Record<string, string | boolean>): void }
interface OtelHistogram { record(value: number, attributes?: Record<string, string | boolean>): void }

/** The part of an OpenTelemetry meter that is used. */
export interface OtelMeter {
  /** Makes a sum that only grows. */
  createCounter(name: string, options?: { description?: string; unit?: string }): OtelInstrument;
  /** Makes a sum that may also fall. */
  createUpDownCounter(name: string, options?: { description?: string; unit?: string }): OtelInstrument;
  /** Makes a distribution of recorded values, here seconds. */
  createHistogram(name: string, options?: { description?: string; unit?: string }): OtelHistogram;
}

/** Reports to an OpenTelemetry meter. */
export function openTelemetryMetrics(meter: OtelMeter): ClusterMetrics {
  const requests = meter.createCounter(CLUSTER_METRICS.requests);
  const notifies = meter.createCounter(CLUSTER_METRICS.notifies);
  const errors = meter.createCounter(CLUSTER_METRICS.transportErrors);
  const handlers = meter.createCounter(CLUSTER_METRICS.handlers);
  const requestDuration = meter.createHistogram(CLUSTER_METRICS.requestDuration, { unit: "s" });
  const handlerDuration = meter.createHistogram(CLUSTER_METRICS.handlerDuration, { unit: "s" });
  const active = meter.createUpDownCounter(CLUSTER_METRICS.handlersActive);
  const owned = meter.createUpDownCounter(CLUSTER_METRICS.shardsOwned);
  let ownedNow = 0;
  return {
    request: (type, ok, seconds) => {
      requests.add(1, { type, ok });
      requestDuration.record(seconds, { type, ok });
    },
    notify: (type, ok) => notifies.add(1, { type, ok }),
    transportError: (code) => errors.add(1, { code }),
    handler: (type, ok, seconds) => {
      handlers.add(1, { type, ok });
      handlerDuration.record(seconds, { type, ok });
    },
    handlersActive: (change) => active.add(change),
    shardsOwned: (count) => {
      owned.add(count - ownedNow);
      ownedNow = count;
    },
  };
}
