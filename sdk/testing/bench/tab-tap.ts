// A tap on the links of a mesh: messages of the bench's own go straight to simple-peer's `send` and back, past greeting, framing and channels.
import type { Link, LinkFactory, LinkListener } from "../../seam/webrtc/link.ts";
import { openPeerLink } from "../../seam/webrtc/peer-link.ts";

/** First byte of what the tap takes out of the stream; the link's own messages and pieces begin lower. */
export const TAP_KIND = 0xb7;

/** A connected link, without anything of ours around it. */
export type BareLink = Pick<Link, "send" | "bufferedBytes">;

/** What arrived past the seam. */
export type TapListener = (bytes: Uint8Array, link: BareLink) => void;

/** Makes links on simple-peer whose messages of {@link TAP_KIND} go to `heard` at once, in the channel's own event. */
export function tappedLinks(opened: (link: BareLink) => void, heard: TapListener): LinkFactory {
  return (options, listener) => {
    const tap: LinkListener = {
      negotiate: (step) => listener.negotiate(step),
      open: () => {
        opened(link);
        listener.open();
      },
      message: (bytes) => {
        if (bytes[0] === TAP_KIND) heard(bytes, link);
        else listener.message(bytes);
      },
      lossy: (bytes) => listener.lossy(bytes),
      drained: () => listener.drained(),
      unsteady: (unsteady) => listener.unsteady(unsteady),
      closed: (end) => listener.closed(end),
    };
    const link = openPeerLink(options, tap);
    return link;
  };
}
