// llms.txt: the front door on one page, for programs that write programs. Made of what the README, the recipes and the types say, so that it says nothing else.
// After a wanted change: npm run api
import ts from "typescript";
import { expect, test } from "vitest";
import { treeOf } from "./program.ts";
import { filesUnder, textOf } from "./project.ts";

const readme = textOf("README.md");

/** The first group of what a document has to have. */
function found(text: string, pattern: RegExp): string {
  const [, part] = pattern.exec(text) ?? [];
  if (part === undefined) throw new Error(`nothing looks like ${String(pattern)}`);
  return part.trim();
}

/** The README's words between two headings or marks, on one line. */
const line = (text: string): string => text.replace(/\{@link ([\w.]+)\}/g, "$1").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/\s+/g, " ").trim();

/** A line per member of an interface: how it is written, and what it promises. */
function membersOf(path: string, name: string): string[] {
  const tree = treeOf(path, textOf(path));
  const declared = tree.statements.find((statement): statement is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(statement) && statement.name.text === name);
  return (declared?.members ?? []).map((member) => {
    const [docs] = ts.getJSDocCommentsAndTags(member);
    const says = docs?.comment === undefined ? "" : `: ${line(ts.getTextOfJSDocComment(docs.comment) ?? "")}`;
    const written = line(member.getText(tree)).replace(/^readonly /, "").replace(/;$/, "");
    return `- \`${/^\w+\?: /.test(written) ? written.replace(/ \| undefined$/, "") : written}\`${says}`;
  });
}

function llmsText(): string {
  const doors = [...readme.matchAll(/^\| `(flotilla[\w./]*)` \| (.*?) \|/gm)].map(([, name, what]) => `- \`${name}\`: ${what}`);
  const recipes = [...textOf("RECIPES.md").matchAll(/^### (.*)$/gm)].map(([, title]) => title);
  const specs = filesUnder("sdk").filter((path) => path.endsWith("SPEC.md"));
  const section = (title: string, lines: readonly string[]): string => `## ${title}\n\n${lines.join("\n")}\n`;
  return [
    `# Flotilla\n\n> ${line(found(readme, /^# Flotilla\n\n([\s\S]*?)\n\n/))}\n\n${line(found(readme, /\n\n(Games are pure functions[\s\S]*?)\n\n/))}\n`,
    section("A whole game", [`\`\`\`ts\n${found(readme, /^## Twenty lines\n\n```ts\n([\s\S]*?)^```/m)}\n\`\`\``]),
    section("What `defineGame` takes", membersOf("sdk/game/game.ts", "Game")),
    section("What `check` and `apply` may know", membersOf("sdk/game/game.ts", "ActionContext")),
    section("What `openMatch` takes", membersOf("sdk/open-match-types.ts", "MatchOptions")),
    section("What a match offers", membersOf("sdk/open-match-types.ts", "Match")),
    section("What `match.status` holds", membersOf("sdk/open-match-status.ts", "MatchStatus")),
    section("What `match.players` holds", membersOf("sdk/open-match-status.ts", "MatchPlayer")),
    section("Doors", [...doors, "- `flotilla/server`, `flotilla/node`: the server in one call; what Node lacks of what a page has", "- `flotilla/testing`: `openTable`, a table for your own games in virtual time"]),
    section("Documents", [`- [README.md](README.md): what it does, and what it does not`, `- [RECIPES.md](RECIPES.md): ${recipes.join("; ")}`, "- [ARCHITECTURE.md](ARCHITECTURE.md): where things are, and what may know what", "- [CHANGELOG.md](CHANGELOG.md)", ...specs.map((path) => `- [${path}](${path}): the rules of that folder, each of them tested`)]),
  ].join("\n");
}

test("llms.txt says what the README, the recipes and the types say", async () => {
  const text = llmsText();
  expect(text).toContain("seats?: number");
  await expect(text).toMatchFileSnapshot("../../../llms.txt");
});
