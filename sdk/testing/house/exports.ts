// What a door offers: followed from its index.ts to the declaration of every name, as text. No type checker needed, since every export is annotated.
import { dirname, join } from "node:path";
import ts from "typescript";
import { treeOf } from "./program.ts";
import { textOf } from "./project.ts";

/** One exported name: where it is declared, and its declaration as an outside reader sees it (no bodies, no private members, no comments). */
export interface Exported {
  readonly name: string;
  readonly path: string;
  readonly declaration: string;
}

const declarations = new Map<string, ReadonlyMap<string, string>>();
const printer = ts.createPrinter({ removeComments: true });

/** Name → declaration, of everything a file declares itself. */
function declaredIn(path: string): ReadonlyMap<string, string> {
  const known = declarations.get(path);
  if (known !== undefined) return known;
  const { outputText } = ts.transpileDeclaration(textOf(path), { fileName: path, compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, stripInternal: true } });
  const tree = treeOf(path.replace(/\.ts$/, ".d.ts"), outputText);
  const found = new Map<string, string>();
  for (const statement of tree.statements) {
    for (const name of namesOf(statement)) found.set(name, `${found.has(name) ? `${found.get(name) ?? ""}\n` : ""}${tidied(printer.printNode(ts.EmitHint.Unspecified, statement, tree))}`);
  }
  declarations.set(path, found);
  return found;
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map((one) => one.name.getText());
  const isNamed = ts.isClassDeclaration(statement) || ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement) || ts.isFunctionDeclaration(statement);
  return isNamed && statement.name !== undefined ? [statement.name.text] : [];
}

function tidied(text: string): string {
  return text.replace(/^export (declare )?/, "").replace(/^\s+(#private|private \S+);\n/gm, "").replace(/\s+$/, "");
}

/** Every name a file exports, re-exports followed to where they are declared. */
export function exportsOf(path: string): Exported[] {
  return treeOf(path, textOf(path)).statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement)) return exportedBy(path, statement);
    if (statement.moduleSpecifier === undefined || statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) return [];
    const specifier = statement.moduleSpecifier.getText().slice(1, -1);
    return statement.exportClause.elements.map((element) => reExported(element, path, specifier));
  });
}

function exportedBy(path: string, statement: ts.Statement): Exported[] {
  const isExported = ts.canHaveModifiers(statement) && (ts.getModifiers(statement)?.some((word) => word.kind === ts.SyntaxKind.ExportKeyword) ?? false);
  return isExported ? namesOf(statement).map((name) => ({ name, path, declaration: declaredIn(path).get(name) ?? name })) : [];
}

function reExported(element: ts.ExportSpecifier, path: string, specifier: string): Exported {
  const name = element.name.text;
  const wanted = element.propertyName?.getText() ?? name;
  if (!specifier.startsWith(".")) return { name, path: specifier, declaration: `${name} from ${specifier}` };
  const target = join(dirname(path), specifier);
  const found = exportsOf(target).find((one) => one.name === wanted);
  return found === undefined ? { name, path: target, declaration: `${name} is missing in ${target}` } : { ...found, name };
}
