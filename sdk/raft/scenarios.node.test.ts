// Scripts that read as conversations: every line between the commands is what the machines say. Rewritten only on purpose: FLOTILLA_REWRITE_SCENARIOS=1.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { replayScenario } from "./scenario-runner.ts";

const FOLDER = fileURLToPath(new URL("scenarios/", import.meta.url));
const isRewriting = process.env["FLOTILLA_REWRITE_SCENARIOS"] === "1";
const names = readdirSync(FOLDER).filter((name) => name.endsWith(".txt")).sort();

test.each(names)("the conversation %s goes as written down", (name) => {
  const written = readFileSync(FOLDER + name, "utf8");
  const said = replayScenario(written);
  if (isRewriting) writeFileSync(FOLDER + name, said);
  else expect(said).toBe(written);
  expect(said).not.toMatch(/^ {2}! /m);
});

test("a changed line, a missing line and a script that can not go on are noticed", () => {
  const said = replayScenario("> founders a\n> timeout a\n");
  expect(replayScenario(said)).toBe(said);
  expect(replayScenario(said.replace("term 2", "term 3"))).toBe(said);
  expect(said).toContain("is leader in term 2");
  expect(replayScenario("> fly a\n")).toContain("! unknown command fly");
  expect(replayScenario("> propose a x\n")).toContain("! no node a");
});
