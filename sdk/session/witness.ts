// The way to a witness, as a session holds it: one link per group, and the word to the others whether this peer reaches it.
import type { Clock, PeerId } from "../base/index.ts";
import type { JoinedChannel } from "../seam/index.ts";

/** A link to a witness; `WitnessSocket` is one. */
export interface WitnessLink extends JoinedChannel {
  /** The witness reached now. */
  readonly witness: PeerId | undefined;
  /** Its own log says that it is a member of the group: it is caught up. */
  readonly isMember: boolean;
  /** Ends it. */
  close(): Promise<void>;
}

/** What a link is opened for. */
export interface WitnessLinkRequest {
  /** As `witnessGroupOf` names the group. */
  readonly group: string;
  /** The group's shortest election timeout, ms. */
  readonly leaseMs: number;
  /** To be called when the witness came or went, became a member or ceased to be one. */
  readonly onChange: () => void;
}

/** Opens a link; the session closes it. */
export type OpenWitnessLink = (request: WitnessLinkRequest) => WitnessLink;

/** What a {@link WitnessWatch} needs. */
export interface WitnessWatchOptions {
  readonly clock: Clock;
  /** How long a witness may be out of reach before that is said, ms. */
  readonly graceMs: number;
  /** The witness this peer reaches, or not any more. Called when that is another than before. */
  readonly onReach: (witness: PeerId | undefined) => void;
}

/** Says which witness a peer reaches. A blip is not told; another witness (after a restart of the server) is, at once. */
export class WitnessWatch {
  readonly #options: WitnessWatchOptions;
  #link: WitnessLink | undefined;
  #said: PeerId | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: WitnessWatchOptions) {
    this.#options = options;
  }

  /** The link whose witness is watched from now on. */
  set link(link: WitnessLink) {
    this.#link = link;
  }

  /** True when the witness last spoken of says that it is caught up. */
  get isCaughtUp(): boolean {
    return this.#link?.isMember === true && this.#link.witness === this.#said;
  }

  /** The link changed. */
  look(): void {
    const now = this.#link?.witness;
    if (now !== undefined) {
      this.#stopTimer();
      this.#say(now);
    } else if (this.#said !== undefined) {
      this.#cancel ??= this.#options.clock.after(this.#options.graceMs, () => {
        this.#cancel = undefined;
        this.#say(undefined);
      });
    }
  }

  /** Ends the link. */
  async stop(): Promise<void> {
    this.#stopTimer();
    const link = this.#link;
    this.#link = undefined;
    this.#say(undefined);
    await link?.close();
  }

  #say(witness: PeerId | undefined): void {
    if (witness === this.#said) return;
    this.#said = witness;
    this.#options.onReach(witness);
  }

  #stopTimer(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
