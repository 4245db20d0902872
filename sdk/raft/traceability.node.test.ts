// TRACEABILITY.md names every claim it should, and everything it names exists.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const HERE = fileURLToPath(new URL("./", import.meta.url));
const SDK = fileURLToPath(new URL("../", import.meta.url));

interface Row {
  readonly claim: string;
  readonly answer: string;
}

const document: string = readFileSync(`${HERE}TRACEABILITY.md`, "utf8");
const rows = document.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("|---")).map((line): Row => {
  const [, claim = "", answer = ""] = line.split("|").map((cell) => cell.trim());
  return { claim, answer };
}).filter(({ answer }) => answer !== "answered by");

/** The text of every test of the SDK but this one. */
function testSources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory()) return testSources(`${path}/`);
    return entry.name.endsWith(".test.ts") && !entry.name.startsWith("traceability") ? [readFileSync(path, "utf8")] : [];
  });
}

/** Names of the suites whose every test must have a row. */
const CLAIMS: Readonly<Record<string, readonly string[]>> = {
  scripts: [
    "async_storage_writes", "async_storage_writes_append_aba_race", "campaign", "single_node", "campaign_learner_must_vote", "checkquorum",
    "confchange_v1_add_single", "confchange_v1_remove_leader", "confchange_v1_remove_leader_stepdown", "confchange_v2_add_single_auto",
    "confchange_v2_add_single_explicit", "confchange_v2_add_double_auto", "confchange_v2_add_double_implicit", "confchange_v2_replace_leader",
    "confchange_v2_replace_leader_stepdown", "confchange_disable_validation", "forget_leader", "forget_leader_prevote_checkquorum",
    "forget_leader_read_only_lease_based", "heartbeat_resp_recovers_from_probing", "lagging_commit", "prevote", "prevote_checkquorum",
    "probe_and_replicate", "replicate_pause", "slow_follower_after_compaction", "snapshot_succeed_via_app_resp", "snapshot_succeed_via_app_resp_behind",
  ],
  algebra: ["joint_autoleave", "joint_idempotency", "joint_learners_next", "joint_safety", "simple_idempotency", "simple_promote_demote", "simple_safety", "update", "zero"].map((name) => `confchange/${name}`),
  paper: [
    "FollowerUpdateTermFromMessage", "CandidateUpdateTermFromMessage", "LeaderUpdateTermFromMessage", "RejectStaleTermMessage", "StartAsFollower", "LeaderBcastBeat",
    "FollowerStartElection", "CandidateStartNewElection", "LeaderElectionInOneRoundRPC", "FollowerVote", "CandidateFallback", "FollowerElectionTimeoutRandomized",
    "CandidateElectionTimeoutRandomized", "FollowersElectionTimeoutNonconflict", "CandidatesElectionTimeoutNonconflict", "LeaderStartReplication", "LeaderCommitEntry",
    "LeaderAcknowledgeCommit", "LeaderCommitPrecedingEntries", "FollowerCommitEntry", "FollowerCheckMsgApp", "FollowerAppendEntries", "LeaderSyncFollowerLog",
    "VoteRequest", "Voter", "LeaderOnlyCommitsLogFromCurrentTerm",
  ],
  invariants: ["LogInv", "MoreThanOneLeaderInv", "ElectionSafetyInv", "LogMatchingInv", "QuorumLogInv", "MoreUpToDateCorrectInv", "LeaderCompletenessInv", "CommittedIsDurableInv"],
  mit: [
    "3A InitialElection", "3A ReElection", "3A ManyElections", "3B BasicAgree", "3B RPCBytes", "3B FollowerFailure", "3B LeaderFailure", "3B FailAgree", "3B FailNoAgree",
    "3B ConcurrentStarts", "3B Rejoin", "3B Backup", "3B Count", "3C Persist1", "3C Persist2", "3C Persist3", "3C Figure8", "3C UnreliableAgree", "3C Figure8Unreliable",
    "3C ReliableChurn", "3C UnreliableChurn", "3D SnapshotBasic", "3D SnapshotInstall", "3D SnapshotInstallUnreliable", "3D SnapshotInstallCrash",
    "3D SnapshotInstallUnCrash", "3D SnapshotAllCrash", "3D SnapshotInit",
  ],
};

test.each(Object.entries(CLAIMS))("every claim of %s has exactly one row", (_suite, names) => {
  expect(names.filter((name) => rows.filter(({ claim }) => claim === name).length !== 1)).toEqual([]);
});

test("every bug of the catalogue has a row", () => {
  const bugs = Array.from({ length: 32 }, (_, i) => `B${i + 1} `);
  expect(bugs.filter((bug) => rows.filter(({ claim }) => claim.startsWith(bug)).length !== 1)).toEqual([]);
});

test("no row is empty: it names a conversation or a test, or says why not", () => {
  const empty = rows.filter(({ answer }) => !/`[^`]+\.txt`|"[^"]+"|the simulated minutes|^— .{20}/.test(answer));
  expect(rows.length).toBeGreaterThan(100);
  expect(empty).toEqual([]);
});

test("every conversation named exists, and every conversation is named", () => {
  const named = new Set<string>(rows.flatMap(({ answer }) => [...answer.matchAll(/`([^`]+\.txt)`/g)].map((found) => found[1] ?? "")));
  expect([...named].filter((name) => !existsSync(`${HERE}scenarios/${name}`))).toEqual([]);
  expect(readdirSync(`${HERE}scenarios`).filter((name) => name.endsWith(".txt") && !named.has(name))).toEqual([]);
});

test("every test named exists, letter for letter", () => {
  const sources = testSources(SDK).join("\n");
  const titles = [...rows.flatMap(({ answer }) => [...answer.matchAll(/"([^"]+)"/g)].map((found) => found[1] ?? "")), "a thousand seeds of a simulated minute each, with all faults, break no rule and prove something"];
  expect(titles.filter((title) => !sources.includes(`${title}"`) && !sources.includes(`${title}\``))).toEqual([]);
});
