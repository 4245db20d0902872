// Alarms in a dedicated worker: its timers are not slowed down when nobody sees the page. Started when first needed, ended when unused.

/** One-shot alarms. */
export interface Alarms {
  /** Calls `fire` once after `ms`, or never when nothing here can count. Returns what takes it back. */
  set(ms: number, fire: () => void): () => void;
}

/** The part of a Worker that is used. */
export interface AlarmWorker {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { preventDefault(): void }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

/** How long a worker without alarms is kept, ms: a tick arms the next one within a task or two, and starting a worker costs some 20 ms. */
const IDLE_MS = 1_000;

// Gets [id, ms] and answers id; a negative ms takes the alarm back.
const WORKER_CODE = `const timers = new Map();
onmessage = ({ data: [id, ms] }) => {
  clearTimeout(timers.get(id));
  timers.delete(id);
  if (ms >= 0) timers.set(id, setTimeout(() => { timers.delete(id); postMessage(id); }, ms));
};`;

/**
 * One-shot alarms that fire on time in hidden pages. Where the page's policy forbids workers, or there are none, alarms never fire: whoever sets one
 * has a slow timer of its own besides.
 */
export class WorkerAlarms implements Alarms {
  readonly #start: () => AlarmWorker;
  readonly #pending = new Map<number, () => void>();
  #worker: AlarmWorker | undefined;
  #isForbidden = false;
  #lastId = 0;
  #cancelEnd: (() => void) | undefined;

  constructor(start: () => AlarmWorker = startWorker) {
    this.#start = start;
  }

  /** Whether a worker exists now. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  set(ms: number, fire: () => void): () => void {
    const id = (this.#lastId += 1);
    const worker = this.#running();
    if (worker === undefined) return () => {};
    this.#cancelEnd?.();
    this.#cancelEnd = undefined;
    this.#pending.set(id, fire);
    worker.postMessage([id, Math.max(0, ms)]);
    return () => {
      if (!this.#pending.delete(id)) return;
      this.#worker?.postMessage([id, -1]);
      this.#endWhenIdle();
    };
  }

  #running(): AlarmWorker | undefined {
    if (this.#isForbidden) return undefined;
    try {
      this.#worker ??= this.#listening(this.#start());
    } catch {
      this.#giveUp();
    }
    return this.#worker;
  }

  #listening(worker: AlarmWorker): AlarmWorker {
    worker.onmessage = ({ data }) => {
      const fire = typeof data === "number" ? this.#pending.get(data) : undefined;
      if (fire === undefined) return;
      this.#pending.delete(Number(data));
      this.#endWhenIdle();
      fire();
    };
    // A policy that forbids the worker is told here, after the constructor returned one.
    worker.onerror = (event) => {
      event.preventDefault();
      this.#giveUp();
    };
    return worker;
  }

  #endWhenIdle(): void {
    if (this.#pending.size > 0 || this.#cancelEnd !== undefined) return;
    const timer = setTimeout(() => {
      this.#cancelEnd = undefined;
      if (this.#pending.size === 0) this.#end();
    }, IDLE_MS);
    this.#cancelEnd = () => clearTimeout(timer);
  }

  #giveUp(): void {
    this.#isForbidden = true;
    this.#pending.clear();
    this.#end();
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

function startWorker(): AlarmWorker {
  const url = URL.createObjectURL(new Blob([WORKER_CODE], { type: "text/javascript" }));
  const worker = new Worker(url, { name: "flotilla-timers" });
  // Held until the script must have been fetched: some browsers fetch it after the constructor returned.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return {
    set onmessage(heard: AlarmWorker["onmessage"]) {
      worker.onmessage = heard;
    },
    set onerror(heard: AlarmWorker["onerror"]) {
      worker.onerror = heard;
    },
    postMessage: (message) => worker.postMessage(message),
    terminate: () => worker.terminate(),
  };
}
