// Which certificate a session description speaks for: what a proof of identity is bound to.

/** Both ends of a link by the certificates its encryption stands on. */
export interface LinkFingerprints {
  readonly local: string;
  readonly remote: string;
}

const LINE = /^a=fingerprint:(sha-(?:256|384|512)) ((?:[0-9A-F]{2}:){31,63}[0-9A-F]{2})$/i;

/**
 * The one fingerprint of a description, or undefined when there is none, when there are two different ones, or when any line that speaks of
 * fingerprints is not understood to the letter. A browser takes a certificate that matches any of several, so a description with a second one
 * could speak for somebody else than it seems to; those of our browsers repeat a single one. MD5 and SHA-1 are not taken.
 */
export function fingerprintOf(sdp: string): string | undefined {
  let found: string | undefined;
  for (const line of sdp.split(/[\r\n]+/)) {
    if (!/fingerprint/i.test(line)) continue;
    const [, hash, hex] = LINE.exec(line) ?? [];
    if (hash === undefined || hex === undefined) return undefined;
    const fingerprint = `${hash.toLowerCase()} ${hex.toUpperCase()}`;
    if (found !== undefined && found !== fingerprint) return undefined;
    found = fingerprint;
  }
  return found;
}
