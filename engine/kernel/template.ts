/** Values a kernel file can be specialised with. Booleans drive `//#if`; numbers and words are also substituted. */
export type Constants = Readonly<Record<string, number | boolean | string>>;

/** A `.wgsl` file uses the template step wrongly, or a constant it needs was not given. */
export class TemplateError extends Error {
  override name = "TemplateError";
}

/** A constant that the file needs was not given. */
export class MissingConstantError extends TemplateError {
  override name = "MissingConstantError";
}

/** Text of the part of that name. @throws TemplateError, without the place of use, when there is none */
export type PartText = (name: string) => string;

const noParts: PartText = (name) => {
  throw new TemplateError(`there is no part "${name}"`);
};

type Scope = Record<string, number | boolean | string>;

const directive = /^\s*\/\/#(\w+)\s*(.*?)\s*$/;

/**
 * The one template step between a `.wgsl` file and the source given to the driver:
 *
 *     {{NAME}}                       the value of a constant or of a loop variable
 *     //#if NAME  | !NAME | NAME == word | NAME != word      … //#else … //#end
 *     //#for i in 0..COUNT           … //#end       the lines between, once for each i (COUNT excluded)
 *     //#use family/part             the functions and structs of another file, with the same constants; a part that is
 *                                    used again is not put in again
 *
 * Directives stand alone on a line, so that a kernel file stays readable as WGSL.
 * @param part finds the text of a part
 * @throws TemplateError naming file and line when a directive, a constant or a part is unknown
 */
export function expand(source: string, constants: Constants, file = "kernel", part: PartText = noParts): string {
  return joined(expandLines(source, constants, file, part));
}

/** Lines as one text. */
export function joined(lines: readonly ExpandedLine[]): string {
  return lines.map(({ text }) => text).join("\n");
}

/** A line after the template step, and where it comes from. */
export interface ExpandedLine {
  readonly text: string;
  /** The kernel's file, or that of a part. */
  readonly file: string;
  /** Number of the line in the file, from 1. */
  readonly line: number;
  /** The line as it stands there. */
  readonly written: string;
  /** The values put in for `{{NAME}}`: places from 0 in the file's line and in this one, in order. */
  readonly values: readonly {
    readonly from: number;
    readonly fromEnd: number;
    readonly to: number;
    readonly toEnd: number;
  }[];
}

/** {@link expand}, line by line. */
export function expandLines(
  source: string,
  constants: Constants,
  file = "kernel",
  part: PartText = noParts,
): ExpandedLine[] {
  const to: Expansion = { constants, part, lines: [], used: new Set(), open: [] };
  whole({ file, lines: source.split("\n") }, to);
  return to.lines;
}

/** A file that is being expanded. */
interface Text {
  readonly file: string;
  readonly lines: readonly string[];
}

/** What all files of a kernel are expanded to. */
interface Expansion {
  readonly constants: Constants;
  readonly part: PartText;
  readonly lines: ExpandedLine[];
  /** Parts that are in. */
  readonly used: Set<string>;
  /** Parts that are being put in, the outermost first. */
  readonly open: string[];
}

function whole(text: Text, to: Expansion): void {
  const end = block(text, 0, { ...to.constants }, to, true);
  if (end < text.lines.length)
    throw new TemplateError(`${text.file}:${end + 1}: //#end or //#else without //#if or //#for`);
}

/** Expands lines from `start` up to the `//#end` or `//#else` that closes the block; returns the index of that line. */
function block(text: Text, start: number, scope: Scope, to: Expansion, live: boolean): number {
  let at = start;
  while (at < text.lines.length) {
    const line = text.lines[at]!;
    const match = directive.exec(line);
    if (!match) {
      if (live) to.lines.push(substitute(line, at + 1, scope, text.file));
      at++;
      continue;
    }
    const [, word, rest] = match as unknown as [string, string, string];
    if (word === "end" || word === "else") return at;
    if (word === "if") at = conditional(text, at, rest, scope, to, live);
    else if (word === "for") at = repetition(text, at, rest, scope, to, live);
    else if (word === "use") {
      if (live) use(rest, `${text.file}:${at + 1}`, to);
      at++;
    } else
      throw new TemplateError(`${text.file}:${at + 1}: unknown directive //#${word}; known: if, else, end, for, use`);
  }
  return at;
}

function use(name: string, where: string, to: Expansion): void {
  if (to.open.includes(name))
    throw new TemplateError(`${where}: parts use each other in a circle: ${[...to.open, name].join(" → ")}`);
  if (to.used.has(name)) return;
  const source = partAt(name, where, to.part);
  to.used.add(name);
  to.open.push(name);
  whole({ file: `${name}.wgsl`, lines: source.trimEnd().split("\n") }, to);
  to.open.pop();
}

function partAt(name: string, where: string, part: PartText): string {
  if (!/^[\w.-]+(?:\/[\w.-]+)*$/.test(name))
    throw new TemplateError(`${where}: expected "//#use family/part", found "${name}"`);
  try {
    return part(name);
  } catch (error) {
    throw error instanceof TemplateError ? new TemplateError(`${where}: ${error.message}`) : error;
  }
}

/**
 * Texts of all parts that a file uses under any constants, and of those that they use, by their names.
 * @throws TemplateError naming file and line of a part that does not exist
 */
export function partsOf(source: string, part: PartText, file = "kernel"): Map<string, string> {
  const found = new Map<string, string>();
  const read = (text: string, from: string) => {
    for (const [at, line] of text.split("\n").entries()) {
      const [, word, name] = directive.exec(line) ?? [];
      if (word !== "use" || found.has(name!)) continue;
      found.set(name!, partAt(name!, `${from}:${at + 1}`, part));
      read(found.get(name!)!, `${name}.wgsl`);
    }
  };
  read(source, file);
  return found;
}

function conditional(text: Text, at: number, test: string, scope: Scope, to: Expansion, live: boolean) {
  const holds = live && condition(test, scope, `${text.file}:${at + 1}`);
  let close = block(text, at + 1, scope, to, live && holds);
  if (isDirective(text.lines[close], "else")) close = block(text, close + 1, scope, to, live && !holds);
  return closed(text, close, at);
}

function repetition(text: Text, at: number, head: string, scope: Scope, to: Expansion, live: boolean) {
  const where = `${text.file}:${at + 1}`;
  const match = /^(\w+)\s+in\s+(\w+)\.\.(\w+)$/.exec(head);
  if (!match) throw new TemplateError(`${where}: expected "//#for i in 0..COUNT", found "${head}"`);
  const [, name, start, end] = match as unknown as [string, string, string, string];
  const first = live ? integer(start, scope, where) : 0;
  const last = live ? integer(end, scope, where) : 0;
  // The body is walked once even for an empty range, to find where it closes.
  let close = block(text, at + 1, scope, to, false);
  for (let i = first; i < last; i++) close = block(text, at + 1, { ...scope, [name]: i }, to, true);
  return closed(text, close, at);
}

function closed({ file, lines }: Text, close: number, open: number): number {
  if (!isDirective(lines[close], "end"))
    throw new TemplateError(`${file}:${open + 1}: block is never closed by //#end`);
  return close + 1;
}

function isDirective(line: string | undefined, word: string): boolean {
  return line !== undefined && directive.exec(line)?.[1] === word;
}

function condition(test: string, scope: Scope, where: string): boolean {
  const compare = /^(\w+)\s*(==|!=)\s*(\w+)$/.exec(test);
  if (compare) {
    const [, name, operator, word] = compare as unknown as [string, string, string, string];
    return (String(lookup(name, scope, where)) === word) === (operator === "==");
  }
  const plain = /^(!?)(\w+)$/.exec(test);
  if (!plain) throw new TemplateError(`${where}: cannot read the condition "${test}"`);
  const value = lookup(plain[2]!, scope, where);
  return Boolean(value) !== (plain[1] === "!");
}

function integer(word: string, scope: Scope, where: string): number {
  const value = /^\d+$/.test(word) ? Number(word) : lookup(word, scope, where);
  if (!Number.isInteger(value)) throw new TemplateError(`${where}: ${word} must be a whole number, found ${value}`);
  return value as number;
}

function substitute(line: string, number: number, scope: Scope, file: string): ExpandedLine {
  const values: { from: number; fromEnd: number; to: number; toEnd: number }[] = [];
  let text = "";
  let at = 0;
  for (const match of line.matchAll(/\{\{(\w+)\}\}/g)) {
    text += line.slice(at, match.index);
    at = match.index + match[0].length;
    const value = String(lookup(match[1]!, scope, `${file}:${number}`));
    values.push({ from: match.index, fromEnd: at, to: text.length, toEnd: text.length + value.length });
    text += value;
  }
  return { text: text + line.slice(at), file, line: number, written: line, values };
}

function lookup(name: string, scope: Scope, where: string): number | boolean | string {
  const value = scope[name];
  if (value === undefined) {
    throw new MissingConstantError(
      `${where}: constant ${name} was not given; given: ${Object.keys(scope).join(", ") || "none"}`,
    );
  }
  return value;
}
