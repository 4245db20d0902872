// A copy of the project's settings in a temporary folder with files planted in it, so that a tool can be seen to object. Not for real code.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ROOT } from "./project.ts";

const SETTINGS = [".layers.cjs", ".dependency-cruiser.cjs", ".oxlintrc.json", "tsconfig.json", "tsconfig.base.json", "package.json"];

/** Runs one of the project's own tools over planted files (path → text) and returns what it printed. */
export async function judged(tool: string, args: readonly string[], files: Readonly<Record<string, string>>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-planted-"));
  try {
    for (const name of SETTINGS) cpSync(join(ROOT, name), join(folder, name));
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return await printed(join(ROOT, "node_modules", ".bin", tool), args, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A tool that objects ends with a failure code, which is no failure here. */
function printed(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, maxBuffer: 16 * 1024 * 1024 }, (_error, stdout, stderr) => resolve(stdout === "" ? stderr : stdout));
  });
}
