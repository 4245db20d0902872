// What the browser says about this page being seen, frozen, left and come back to.

/** What can happen to a page. `hide` is `pagehide`: the last task before it goes. `show` is a return from the back/forward cache, never a first load. */
export type PageEvent = "visibility" | "freeze" | "resume" | "hide" | "show";

/** One page's life. Where there is no page (a server, a worker) it is visible for ever and nothing happens. */
export interface PageLifecycle {
  /** Nobody sees the page now: its timers are slow, and it may be frozen without a word (only Chromium says `freeze`). */
  readonly isHidden: boolean;
  /** Calls `listener` when it happens, synchronously in the browser's own event. Returns the function that removes it. */
  on(event: PageEvent, listener: () => void): () => void;
}

/** Where a {@link PageLifecycle} listens: a document and its window, or stand-ins for them. */
export interface PageTarget {
  readonly document: Pick<Document, "visibilityState" | "addEventListener" | "removeEventListener">;
  readonly window: Pick<Window, "addEventListener" | "removeEventListener">;
}

/** The life of the page this runs in (or of `target`). Keeps nothing running by itself. */
export function pageLifecycle(target: PageTarget | undefined = ownPage()): PageLifecycle {
  if (target === undefined) return { isHidden: false, on: () => () => {} };
  return {
    get isHidden() {
      return target.document.visibilityState === "hidden";
    },
    on: (event, listener) => {
      const [source, type] = SOURCES[event];
      const heard = (happened: Event): void => {
        if (event !== "show" || wasKept(happened)) listener();
      };
      target[source].addEventListener(type, heard);
      return () => target[source].removeEventListener(type, heard);
    },
  };
}

const SOURCES: Readonly<Record<PageEvent, readonly ["document" | "window", string]>> = {
  visibility: ["document", "visibilitychange"],
  freeze: ["document", "freeze"],
  resume: ["document", "resume"],
  hide: ["window", "pagehide"],
  show: ["window", "pageshow"],
};

function wasKept(event: Event): boolean {
  return "persisted" in event && event.persisted === true;
}

function ownPage(): PageTarget | undefined {
  return typeof document === "undefined" || typeof window === "undefined" ? undefined : { document, window };
}
