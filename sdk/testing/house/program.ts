// The TypeScript compiler as the checks use it: programs over the project's files, and over files that exist only here.
import { join } from "node:path";
import ts from "typescript";
import { fromRoot, ROOT } from "./project.ts";

/** Compiler options of one of the project's tsconfig files. */
export function optionsOf(config: string): { readonly options: ts.CompilerOptions; readonly files: readonly string[] } {
  const read = ts.readConfigFile(join(ROOT, config), ts.sys.readFile);
  const parsed = ts.parseJsonConfigFileContent(read.config, ts.sys, ROOT);
  return { options: { ...parsed.options, noEmit: true, emitDeclarationOnly: false, declaration: false, isolatedDeclarations: false }, files: parsed.fileNames.map(fromRoot) };
}

/** A program over project files and planted ones (path from the project's folder → text). Planted files shadow real ones. */
export function programOf(files: readonly string[], options: ts.CompilerOptions, planted: ReadonlyMap<string, string> = new Map()): ts.Program {
  const texts = new Map([...planted].map(([path, text]) => [join(ROOT, path), text]));
  const host = ts.createCompilerHost(options);
  const wrapped: ts.CompilerHost = {
    ...host,
    getCurrentDirectory: () => ROOT,
    readFile: (path) => texts.get(path) ?? host.readFile(path),
    fileExists: (path) => texts.has(path) || host.fileExists(path),
    getSourceFile: (path, target, ...rest) => {
      const text = texts.get(path);
      return text === undefined ? host.getSourceFile(path, target, ...rest) : ts.createSourceFile(path, text, target);
    },
  };
  return ts.createProgram([...files.map((path) => join(ROOT, path)), ...texts.keys()], options, wrapped);
}

/** What the compiler says about some files of a program, as `path:line: message`. */
export function complaints(program: ts.Program, files: Iterable<string>): string[] {
  return [...files].flatMap((path) => {
    const source = program.getSourceFile(join(ROOT, path));
    if (source === undefined) return [`${path}: not in the program`];
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((said) => {
      const line = said.start === undefined ? 0 : source.getLineAndCharacterOfPosition(said.start).line + 1;
      return `${path}:${line}: ${ts.flattenDiagnosticMessageText(said.messageText, " ")}`;
    });
  });
}

const trees = new Map<string, ts.SourceFile>();

/** One file as a syntax tree with parents; parsed once. */
export function treeOf(path: string, text: string): ts.SourceFile {
  let tree = trees.get(path);
  if (tree?.text !== text) trees.set(path, (tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)));
  return tree;
}

/** Visits every node below and including `node`. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
