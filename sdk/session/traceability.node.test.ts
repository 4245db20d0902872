// TRACEABILITY.md: whatever it names exists.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const document: string = readFileSync(at("./TRACEABILITY.md"), "utf8");
const rows = document.split("\n").filter((line) => /^\| (?!rule|row|trap|what)/.test(line));

/** The text of every test below a folder. */
function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : sources(path);
    return /\.(test|spec)\.ts$/.test(entry.name) ? [readFileSync(path, "utf8")] : [];
  });
}

test("every row names a test or a file of journeys, and each of them exists", () => {
  const written = [...sources(at("../")), ...sources(at("../../e2e"))].join("\n");
  expect(rows.length).toBeGreaterThan(40);
  for (const row of rows) {
    const shown = row.split("|")[2] ?? "";
    const titles = [...shown.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => title);
    const files = [...shown.matchAll(/`(e2e\/[^`]+)`/g)].map(([, file = ""]) => file);
    expect(titles.length + files.length, row).toBeGreaterThan(0);
    for (const title of titles) expect(written.includes(`"${title}"`), title).toBe(true);
    for (const file of files) expect(existsSync(at(`../../${file}`)), file).toBe(true);
  }
});
