// After the healing: everybody who stays is in, agrees with everybody else, and can act.
import { bytesEqual, utf8, type PeerId } from "../../base/index.ts";
import { rosterLane, seatOf, type GameSession } from "../../session/index.ts";
import { Violation } from "../sim/violation.ts";
import { sessionOf, type Gathering, type Person } from "./gathering.ts";
import { membersOf, seatsOf } from "./observer.ts";

/** A promise that is not kept yet. */
export interface Unkept {
  readonly rule: string;
  readonly detail: string;
}

/** How long a healed gathering may take, ms: an election, the eviction of everybody who is gone one after the other, and every newcomer's admission. */
const HEALING_MS = 150_000;
/** How long one command may take then, ms. */
const ANSWER_MS = 20_000;

/** Heals, waits until everything is as promised and lets everybody act. Throws a `Violation` for what does not come true. Returns ms until all was well, or undefined when a group had lost too many voters for ever. */
export async function judgeHealed(gathering: Gathering): Promise<number | undefined> {
  const { clock, observer } = gathering;
  gathering.heal();
  const started = clock.now();
  let unkept = whatIsMissing(gathering);
  for (let calm = 0; calm < 3 && clock.now() - started < HEALING_MS; calm = unkept === undefined ? calm + 1 : 0) {
    await clock.advance(1_000);
    observer.check();
    unkept = whatIsMissing(gathering);
  }
  const tookMs = clock.now() - started;
  if (gathering.stranded.size > 0) return undefined;
  if (unkept !== undefined) throw new Violation(unkept.rule, unkept.detail);
  await judgeActing(gathering);
  return tookMs;
}

/** The first promise that is not kept now. */
export function whatIsMissing(gathering: Gathering): Unkept | undefined {
  const sessions: GameSession[] = [];
  for (const person of gathering.people.filter(({ stays }) => stays)) {
    const session = sessionOf(person);
    if (session === undefined) return { rule: "locked-out", detail: `${person.id} stays and is not in` };
    sessions.push(session);
  }
  const groups = new Map<string, GameSession[]>();
  for (const session of sessions) groups.set(session.groupId, [...(groups.get(session.groupId) ?? []), session]);
  if (groups.size > 1 && [...groups.values()].some((members) => members.length < 2)) return { rule: "one-host", detail: `several matches in one room: ${describe(sessions)}` };
  for (const members of groups.values()) {
    const missing = disagreement(members) ?? lockedOut(gathering.people, members);
    if (missing !== undefined) return missing;
  }
  return undefined;
}

function disagreement(sessions: readonly GameSession[]): Unkept | undefined {
  const [first] = sessions;
  if (first === undefined) return undefined;
  const unkept = (detail: string): Unkept => ({ rule: "agreement", detail: `${detail}: ${describe(sessions)}` });
  if (sessions.filter(({ node }) => node.role === "leader").length !== 1) return unkept("not one leader");
  const members = membersOf(first.node.membership);
  const roster = rosterLane.encode(first.roster);
  for (const { node, roster: seen, selfId } of sessions) {
    if (node.status.failure !== undefined) return unkept(`the node of ${selfId} failed: ${node.status.failure.message}`);
    if (node.membership.votersOutgoing.length > 0 || membersOf(node.membership).join() !== members.join()) return unkept("different memberships");
    if (node.membership.voters.join() !== first.node.membership.voters.join()) return unkept("different voters");
    if (!bytesEqual(rosterLane.encode(seen), roster)) return unkept("different rosters");
    if (node.appliedIndex !== first.node.appliedIndex) return unkept("some have not heard everything");
  }
  // Who is fed is here and in no membership.
  const here = sessions.filter(({ node }) => node.status.feed === undefined).map(({ selfId }) => selfId).sort();
  return members.join() === here.join() ? undefined : unkept(`the members are not those who are here (${members.join()})`);
}

/** Who wants to play sits, unless every seat is somebody's. */
function lockedOut(people: readonly Person[], sessions: readonly GameSession[]): Unkept | undefined {
  for (const { roster, selfId } of sessions) {
    const wants = people.find(({ id }) => id === selfId)?.wants;
    const isSeated = seatOf(roster, selfId) !== undefined;
    if (wants === "play" && !isSeated && roster.seats.includes(undefined)) return { rule: "locked-out", detail: `${selfId} wants to play and has no seat: ${seatsOf(roster)}` };
    if (wants === "watch" && isSeated) return { rule: "locked-out", detail: `${selfId} wants to watch and sits` };
  }
  return undefined;
}

/** Everybody's next command is committed and heard by all of its group. */
async function judgeActing({ clock, inside, observer }: Gathering): Promise<void> {
  const open = new Set<PeerId>();
  for (const { id, tab } of inside) {
    open.add(id);
    void tab.session?.node.propose(utf8(`last word of ${id}`)).then(() => open.delete(id), () => undefined);
  }
  for (let waited = 0; waited < ANSWER_MS && open.size > 0; waited += 500) await clock.advance(500);
  observer.check();
  if (open.size > 0) throw new Violation("acting", `nothing came of what ${[...open].join()} proposed`);
}

function describe(sessions: readonly GameSession[]): string {
  return sessions
    .map(({ selfId, groupId, node: { role, membership, appliedIndex }, roster }) => `\n  ${selfId} ${role} of ${groupId} at ${appliedIndex}, voters ${membership.voters.join()}${membership.votersOutgoing.length > 0 ? ` (from ${membership.votersOutgoing.join()})` : ""} learners ${membership.learners.join()}, seats ${seatsOf(roster)}`)
    .join("");
}
