// What one end of a link must know of the other, in as few bytes as fit into a QR code: an SDP of a data channel, and nothing that is the same in all of them.
import { fromHex, MalformedError, toHex, type ByteReader, type ByteWriter } from "../base/index.ts";

/** Where one end may be reached. */
export interface ManualCandidate {
  /** As a browser gives it: IPv4, IPv6, or a name of its own making in place of an address of the local network. */
  readonly address: string;
  readonly port: number;
  readonly kind: "host" | "srflx" | "relay";
}

/** One end of a link that is made by hand. */
export interface ManualDescription {
  readonly ufrag: string;
  readonly password: string;
  /** SHA-256 of its certificate: what its encryption stands on. */
  readonly fingerprint: Uint8Array;
  readonly candidates: readonly ManualCandidate[];
}

const KINDS = ["host", "srflx", "relay"] as const;
/** Ways to one end that travel; a browser behind many interfaces has more, and says the best first. */
export const MANUAL_CANDIDATES_MAX = 8;
const FINGERPRINT_BYTES = 32;
const WORD_BYTES_MAX = 256;
const PORT_MAX = 65_535;
/** Type preferences of RFC 8445, 5.1.2.2. */
const PREFERENCES = { host: 126, srflx: 100, relay: 0 } as const;

const ICE_WORD = /^[A-Za-z0-9+/]{4,256}$/u;
const CANDIDATE = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ (host|srflx|relay)\b/iu;
const LOCAL_NAME = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\.local$/u;

/** What of a browser's own description has to travel. Throws `MalformedError` where it is not one of a data channel with a SHA-256 certificate. */
export function descriptionOf(sdp: string): ManualDescription {
  const lines = sdp.split(/\r?\n/u);
  const after = (start: string): string => lines.find((line) => line.startsWith(start))?.slice(start.length).trim() ?? "";
  const [hash = "", hex = ""] = after("a=fingerprint:").split(" ");
  const fingerprint = hash.toLowerCase() === "sha-256" ? fromHex(hex.replaceAll(":", "").toLowerCase()) : undefined;
  if (fingerprint?.length !== FINGERPRINT_BYTES) throw new MalformedError("a description without a SHA-256 certificate");
  const candidates = lines.flatMap((line): ManualCandidate[] => {
    const [, address = "", port = "", kind = ""] = CANDIDATE.exec(line) ?? [];
    return address === "" ? [] : [{ address, port: Number(port), kind: KINDS.find((known) => known === kind.toLowerCase()) ?? "host" }];
  });
  return checked({ ufrag: after("a=ice-ufrag:"), password: after("a=ice-pwd:"), fingerprint, candidates: spread(candidates) });
}

/** As many as travel, of each kind some: those of the local network must not crowd out the one that leads through the internet. */
function spread(candidates: readonly ManualCandidate[]): readonly ManualCandidate[] {
  const others = candidates.filter(({ kind }) => kind !== "host").slice(0, MANUAL_CANDIDATES_MAX / 2);
  return [...candidates.filter(({ kind }) => kind === "host").slice(0, MANUAL_CANDIDATES_MAX - others.length), ...others];
}

/** The description a browser takes: of who invites (`actpass`) or of who replies (`active`). */
export function sdpOf({ ufrag, password, fingerprint, candidates }: ManualDescription, role: "invites" | "replies"): string {
  const lines = [
    "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:0",
    `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${password}`,
    `a=fingerprint:sha-256 ${toHex(fingerprint).toUpperCase().match(/../gu)?.join(":") ?? ""}`,
    `a=setup:${role === "invites" ? "actpass" : "active"}`, "a=sctp-port:5000", "a=max-message-size:262144",
    ...candidates.map(candidateLine), "a=end-of-candidates",
  ];
  return `${lines.join("\r\n")}\r\n`;
}

function candidateLine({ address, port, kind }: ManualCandidate, at: number): string {
  const priority = PREFERENCES[kind] * 2 ** 24 + (PORT_MAX - at) * 2 ** 8 + 255;
  return `a=candidate:${at + 1} 1 udp ${priority} ${address} ${port} typ ${kind}${kind === "host" ? "" : " raddr 0.0.0.0 rport 0"}`;
}

/** Bytes of a description: about 70, and 7 to 19 for each candidate. */
export function writeDescription(writer: ByteWriter, { ufrag, password, fingerprint, candidates }: ManualDescription): void {
  writer.text(ufrag).text(password).raw(fingerprint).list(candidates, ({ address, port, kind }) => {
    const { form, bytes } = packed(address);
    writer.byte(KINDS.indexOf(kind) * FORMS.length + form).uint(port);
    if (form === TEXT) writer.text(address);
    else writer.raw(bytes);
  });
}

/** The description that stands next in `reader`. Throws `MalformedError`. */
export function readDescription(reader: ByteReader): ManualDescription {
  const ufrag = reader.text(WORD_BYTES_MAX);
  const password = reader.text(WORD_BYTES_MAX);
  const fingerprint = reader.raw(FINGERPRINT_BYTES).slice();
  const candidates = reader.list((): ManualCandidate => {
    const code = reader.byte();
    const kind = KINDS[Math.floor(code / FORMS.length)];
    const form = code % FORMS.length;
    if (kind === undefined) throw new MalformedError(`candidate of kind ${code}`);
    const port = reader.uint();
    return { kind, port, address: form === TEXT ? reader.text(WORD_BYTES_MAX) : unpacked(form, reader.raw(FORMS[form] ?? 0)) };
  }, MANUAL_CANDIDATES_MAX);
  return checked({ ufrag, password, fingerprint, candidates });
}

/** What goes into an SDP must not be able to say more than it is. */
function checked(description: ManualDescription): ManualDescription {
  const { ufrag, password, candidates } = description;
  const isWhole = ICE_WORD.test(ufrag) && ICE_WORD.test(password) && candidates.every(({ address, port }) => /^[0-9A-Za-z.:-]{1,256}$/u.test(address) && port >= 1 && port <= PORT_MAX);
  if (!isWhole) throw new MalformedError("not the description of one end of a link");
  return description;
}

const IPV4 = 0;
const IPV6 = 1;
const LOCAL = 2;
const TEXT = 3;
/** Bytes of each form of an address; text has a length of its own. */
const FORMS = [4, 16, 16, 0] as const;

function packed(address: string): { readonly form: number; readonly bytes: Uint8Array } {
  const four = address.split(".").map(Number);
  if (four.length === 4 && four.every((part) => Number.isInteger(part) && part >= 0 && part <= 255)) return { form: IPV4, bytes: Uint8Array.from(four) };
  const name = LOCAL_NAME.exec(address);
  if (name !== null) return { form: LOCAL, bytes: fromHex(name.slice(1).join("")) ?? new Uint8Array(16) };
  const groups = groupsOf(address);
  return groups === undefined ? { form: TEXT, bytes: new Uint8Array(0) } : { form: IPV6, bytes: Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255])) };
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): readonly number[] | undefined {
  if (!/^[0-9a-f:]+$/iu.test(address) || !address.includes(":")) return undefined;
  const [head = "", tail] = address.split("::");
  const parts = (text: string): number[] => (text === "" ? [] : text.split(":").map((part) => Number.parseInt(part, 16)));
  const [before, behind] = [parts(head), parts(tail ?? "")];
  const groups = tail === undefined ? before : [...before, ...Array<number>(Math.max(0, 8 - before.length - behind.length)).fill(0), ...behind];
  return groups.length === 8 && groups.every((group) => group >= 0 && group <= 0xffff) ? groups : undefined;
}

function unpacked(form: number, bytes: Uint8Array): string {
  if (form === IPV4) return bytes.join(".");
  const hex = toHex(bytes);
  if (form === LOCAL) return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}.local`;
  return (hex.match(/..../gu) ?? []).map((group) => Number.parseInt(group, 16).toString(16)).join(":");
}
