// A seam that is carried by one endpoint at a time and goes on over the next when that one is lost: the peer built on it stays the same.
import { createNanoEvents } from "nanoevents";
import { ClosedError, hasCode, silentLogger, type Clock, type Logger, type PeerId, type Random } from "../base/index.ts";
import { ManagedSeam, type BackoffLimits, type CoreWindow, type Seam } from "../seam/index.ts";
import type { Endpoint, OpenedEndpoint } from "./endpoint.ts";
import { type EndpointRefusedError, EndpointTimeoutError, IdentityInUseError, type EndpointRefusal } from "./errors.ts";
import { letIn, NO_REFUSALS, refused, TAKEN_OVER_WITHIN_MS, type Refusals } from "./refusals.ts";
import { beginRotation, moveOn, pauseMs, provenGood, ROTATION_BACKOFF, type Rotation } from "./rotation.ts";

/** Budget of one frame, bytes: every endpoint's seam must take as much. Room for the largest command and its headers. */
export const CLIENT_PAYLOAD_BYTES_MAX: number = 512 * 1024;
/** How long an endpoint may take to answer, ms. */
const CONNECT_TIMEOUT_MS = 5_000;
/** How long a leader must be heard on a way before that counts as good, ms: longer than a server that is going down keeps up appearances, and than a node remembers who led before the way changed. */
const GOOD_AFTER_MS = 10_000;

/** How long a way that hears no leader is kept where there are others, ms: several elections. */
const LEADERLESS_MS = 10_000;

/** Where the way to a log stands; a new object per change. */
export type LinkStatus =
  /** An endpoint was asked. `attempt` counts from 1 since one was last good. */
  | { readonly phase: "connecting"; readonly endpoint: string; readonly attempt: number }
  /** The pause before `endpoint` is asked, and what was wrong with the one before. */
  | { readonly phase: "waiting"; readonly endpoint: string; readonly attempt: number; readonly pauseMs: number; readonly reason: string }
  /** `window`: what became of the token that was presented. */
  | { readonly phase: "connected"; readonly endpoint: string; readonly window: CoreWindow }
  /** `failure`: why, where it ended by itself. */
  | { readonly phase: "closed"; readonly failure?: Error | undefined };

/** How the endpoints are used. */
export interface RotationOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How long an endpoint may take to answer, ms. Default 5000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a leader must be heard on a way ({@link RotatingSeam.hears}) before it counts as good and the pauses begin anew, ms. Default 10 000. */
  readonly goodAfterMs?: number | undefined;
  /** How long a way on which no leader is heard is kept where there are others, ms. Default 10 000. */
  readonly leaderlessMs?: number | undefined;
  /** First and longest pause between endpoints. Default 250 and 15 000 ms. */
  readonly backoff?: BackoffLimits | undefined;
  /** `in-order` begins with the first; `anywhere` spreads clients over all of them. Default `in-order`. */
  readonly begin?: "in-order" | "anywhere" | undefined;
  /** A token from before. */
  readonly token?: Uint8Array | undefined;
  /** Hears of each token a server gives: keep it where the next incarnation finds it. */
  readonly onToken?: ((token: Uint8Array | undefined) => void) | undefined;
  /** Budget of one frame, bytes. Default {@link CLIENT_PAYLOAD_BYTES_MAX}. */
  readonly payloadBytesMax?: number | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * One peer's way to a group through endpoints that come and go. Closing its `seam` ends it. By itself it ends where no endpoint will ever have this peer (`EndpointRefusedError`,
 * after two rounds of nothing but that), or where another program is the same peer and does not give way (`IdentityInUseError`); `failure` says so, and the seam is torn.
 */
export class RotatingSeam {
  /** The same for as long as this lives; woven from the first endpoint on, alone between two. */
  readonly seam: Seam;
  readonly #managed: ManagedSeam;
  readonly #endpoints: readonly Endpoint[];
  readonly #options: RotationOptions;
  readonly #events = createNanoEvents<{ status: (status: LinkStatus) => void }>();
  #rotation: Rotation;
  #status: LinkStatus;
  #token: Uint8Array | undefined;
  #isGood = false;
  #refusals: Refusals = NO_REFUSALS;
  #failure: Error | undefined;
  #opened: OpenedEndpoint | undefined;
  #attempt: AbortController | undefined;
  #stopProving: (() => void) | undefined;
  #stopPatience: (() => void) | undefined;
  #stopTimer: () => void = () => {};

  /** Asks the first endpoint at once. Throws `InvalidArgumentError` where there is none. */
  constructor(selfId: PeerId, endpoints: readonly Endpoint[], options: RotationOptions) {
    this.#endpoints = [...endpoints];
    this.#options = options;
    this.#token = options.token;
    this.#rotation = beginRotation(endpoints.length, options.begin === "anywhere" ? options.random : undefined);
    this.#managed = new ManagedSeam(selfId, options.payloadBytesMax ?? CLIENT_PAYLOAD_BYTES_MAX, (reason) => this.#leave(reason, this.#opened?.refusal?.()));
    this.seam = this.#managed;
    this.seam.on("state", ({ phase }) => {
      if (phase === "torn") this.#stop();
    });
    this.#status = { phase: "connecting", endpoint: this.#next.name, attempt: 1 };
    void this.#ask();
  }

  get status(): LinkStatus {
    return this.#status;
  }

  /** What the servers last gave to come back with. */
  get token(): Uint8Array | undefined {
    return this.#token;
  }

  /** Why it ended by itself; undefined while it has not. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Adds a listener; returns the function that removes it. */
  on(event: "status", listener: (status: LinkStatus) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** What is connected is of no use (it hears no leader): lets it go, counts that as a failure and asks the next one. Nothing while none is connected, or where there is no other. */
  moveOn(reason: string): void {
    if (this.#status.phase !== "connected" || this.#endpoints.length === 1) return;
    this.#isGood = false;
    // Its own end is not news any more: the endpoint was left.
    this.#end(this.#managed.detach());
    this.#leave(reason);
  }

  /** Told by what runs over this whether it hears a leader: a way on which it does, for long enough, is good; one on which it does not is left after a while. Who never says so finds none good. */
  hears(isLeaderHeard: boolean): void {
    if (this.#status.phase !== "connected") return;
    const { clock, goodAfterMs = GOOD_AFTER_MS, leaderlessMs = LEADERLESS_MS } = this.#options;
    if (isLeaderHeard) {
      this.#calm();
      this.#stopProving ??= clock.after(goodAfterMs, () => {
        this.#isGood = true;
        this.#rotation = provenGood(this.#rotation);
      });
      return;
    }
    this.#proveNothing();
    this.#stopPatience ??= clock.after(leaderlessMs, () => {
      this.#stopPatience = undefined;
      this.moveOn(`no leader was heard for ${leaderlessMs} ms`);
    });
  }

  /** The end: closes the seam with whatever carries it. Idempotent. */
  close(): Promise<void> {
    return this.seam.close();
  }

  get #next(): Endpoint {
    const endpoint = this.#endpoints[this.#rotation.at];
    if (endpoint === undefined) throw new ClosedError("the rotation (it has no endpoints)");
    return endpoint;
  }

  async #ask(): Promise<void> {
    const endpoint = this.#next;
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#say({ phase: "connecting", endpoint: endpoint.name, attempt: this.#rotation.failures + 1 });
    const { clock, connectTimeoutMs = CONNECT_TIMEOUT_MS, logger = silentLogger } = this.#options;
    const stop = clock.after(connectTimeoutMs, () => attempt.abort(new EndpointTimeoutError(endpoint.name, connectTimeoutMs)));
    try {
      const opened = await this.#open(endpoint, attempt.signal);
      this.#carry(endpoint, opened);
    } catch (error) {
      if (this.#status.phase === "closed") return;
      logger.info(`${endpoint.name} can not be entered`, error);
      this.#leave(messageOf(error), error);
    } finally {
      stop();
    }
  }

  async #open(endpoint: Endpoint, signal: AbortSignal): Promise<OpenedEndpoint> {
    try {
      return await unlessAborted(endpoint, signal, this.#token);
    } catch (error) {
      if (this.#token === undefined || !hasCode(error, "window-closed")) throw error;
      this.#keep(undefined);
      return { ...(await unlessAborted(endpoint, signal, undefined)), window: "closed" };
    }
  }

  #carry(endpoint: Endpoint, opened: OpenedEndpoint): void {
    const { seam, token, window = "fresh" } = opened;
    this.#opened = opened;
    try {
      this.#managed.attach(seam);
    } catch (error) {
      this.#end(seam);
      throw error;
    }
    if (token !== undefined) this.#keep(token);
    // One that was torn by the time it came has been left already.
    if (seam.state.phase === "torn") return;
    this.#refusals = letIn(this.#refusals);
    this.#say({ phase: "connected", endpoint: endpoint.name, window });
  }

  #calm(): void {
    this.#stopPatience?.();
    this.#stopPatience = undefined;
  }

  #proveNothing(): void {
    this.#stopProving?.();
    this.#stopProving = undefined;
  }

  /** `error`: what it ended with, which may be a refusal. Who is put out was no server that went: that is a failure, however good the way had been. */
  #leave(reason: string, error?: unknown): void {
    if (this.#status.phase === "closed") return;
    this.#stopTimer();
    this.#calm();
    this.#proveNothing();
    const refusal = refusalIn(error);
    if (refusal !== undefined && this.#isOver(refusal, error)) return;
    const { clock, random, backoff = ROTATION_BACKOFF } = this.#options;
    this.#rotation = moveOn(this.#rotation, this.#endpoints.length, this.#isGood && refusal === undefined);
    this.#isGood = false;
    const pause = pauseMs(this.#rotation, this.#endpoints.length, backoff, random);
    this.#stopTimer = clock.after(pause, () => void this.#ask());
    this.#say({ phase: "waiting", endpoint: this.#next.name, attempt: this.#rotation.failures + 1, pauseMs: pause, reason });
  }

  /** True where this refusal was one too many: then it ends here. */
  #isOver(refusal: EndpointRefusal, cause: unknown): boolean {
    const { end, ...refusals } = refused(this.#refusals, refusal, { endpoints: this.#endpoints.length, now: this.#options.clock.now() });
    this.#refusals = refusals;
    if (end === undefined) return false;
    this.#failure = end === "refused" && cause instanceof Error ? cause : new IdentityInUseError(this.seam.selfId, TAKEN_OVER_WITHIN_MS, { cause });
    this.#end({ close: () => this.#managed.end(messageOf(this.#failure)) });
    return true;
  }

  /** Nobody waits for it, and what goes wrong with it then is nobody's business. */
  #end(seam: Pick<Seam, "close"> | undefined): void {
    seam?.close().catch((error: unknown) => (this.#options.logger ?? silentLogger).info("a way did not end as it should", error));
  }

  #keep(token: Uint8Array | undefined): void {
    this.#token = token;
    const { onToken, logger = silentLogger } = this.#options;
    try {
      onToken?.(token);
    } catch (error) {
      // It could not be kept: that costs the next incarnation a fresh visit, and this one nothing.
      logger.error("a resume token could not be kept", error);
    }
  }

  #stop(): void {
    this.#stopTimer();
    this.#calm();
    this.#proveNothing();
    this.#say({ phase: "closed", failure: this.#failure });
    this.#attempt?.abort(new ClosedError("the client"));
    this.#events.events = {};
  }

  #say(status: LinkStatus): void {
    this.#status = status;
    try {
      this.#events.emit("status", status);
    } catch (error) {
      // Whoever listens must not keep the next endpoint from being asked.
      (this.#options.logger ?? silentLogger).error("a listener of the way to the log threw", error);
    }
  }
}

/** What the endpoint gives, as long as it is wanted: one that does not listen to the signal is not waited for, and what it gives too late is closed. */
function unlessAborted(endpoint: Endpoint, signal: AbortSignal, token: Uint8Array | undefined): Promise<OpenedEndpoint> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    const opening = endpoint.open(signal, token);
    const opened = (given: OpenedEndpoint): void => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) given.seam.close().catch(() => {});
      else resolve(given);
    };
    opening.then(opened, (error: unknown) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    });
    return undefined;
  });
}

/** Whatever copy of the SDK it was made by. */
function refusalIn(error: unknown): EndpointRefusal | undefined {
  return hasCode(error, "endpoint-refused") ? (error as EndpointRefusedError).refusal : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
