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

type Scope = Record<string, number | boolean | string>;

const directive = /^\s*\/\/#(\w+)\s*(.*?)\s*$/;

/**
 * The one template step between a `.wgsl` file and the source given to the driver:
 *
 *     {{NAME}}                       the value of a constant or of a loop variable
 *     //#if NAME  | !NAME | NAME == word | NAME != word      … //#else … //#end
 *     //#for i in 0..COUNT           … //#end       the lines between, once for each i (COUNT excluded)
 *
 * Directives stand alone on a line, so that a kernel file stays readable as WGSL.
 * @throws TemplateError naming the line when a directive or a constant is unknown
 */
export function expand(source: string, constants: Constants, file = "kernel"): string {
  return expandLines(source, constants, file)
    .map(({ text }) => text)
    .join("\n");
}

/** A line after the template step, and where it comes from. */
export interface ExpandedLine {
  readonly text: string;
  /** Number of the line in the file, from 1. */
  readonly line: number;
  /** The values put in for `{{NAME}}`: places from 0 in the file's line and in this one, in order. */
  readonly values: readonly {
    readonly from: number;
    readonly fromEnd: number;
    readonly to: number;
    readonly toEnd: number;
  }[];
}

/** {@link expand}, line by line. */
export function expandLines(source: string, constants: Constants, file = "kernel"): ExpandedLine[] {
  const lines = source.split("\n");
  const out: ExpandedLine[] = [];
  const end = block(lines, 0, { ...constants }, out, file, true);
  if (end < lines.length) throw new TemplateError(`${file}:${end + 1}: //#end or //#else without //#if or //#for`);
  return out;
}

/** Expands lines from `start` up to the `//#end` or `//#else` that closes the block; returns the index of that line. */
function block(lines: string[], start: number, scope: Scope, out: ExpandedLine[], file: string, live: boolean): number {
  let at = start;
  while (at < lines.length) {
    const line = lines[at]!;
    const match = directive.exec(line);
    if (!match) {
      if (live) out.push(substitute(line, at + 1, scope, file));
      at++;
      continue;
    }
    const [, word, rest] = match as unknown as [string, string, string];
    if (word === "end" || word === "else") return at;
    if (word === "if") at = conditional(lines, at, rest, scope, out, file, live);
    else if (word === "for") at = repetition(lines, at, rest, scope, out, file, live);
    else throw new TemplateError(`${file}:${at + 1}: unknown directive //#${word}; known: if, else, end, for`);
  }
  return at;
}

function conditional(
  lines: string[],
  at: number,
  test: string,
  scope: Scope,
  out: ExpandedLine[],
  file: string,
  live: boolean,
) {
  const holds = live && condition(test, scope, `${file}:${at + 1}`);
  let close = block(lines, at + 1, scope, out, file, live && holds);
  if (isDirective(lines[close], "else")) close = block(lines, close + 1, scope, out, file, live && !holds);
  return closed(lines, close, at, file);
}

function repetition(
  lines: string[],
  at: number,
  head: string,
  scope: Scope,
  out: ExpandedLine[],
  file: string,
  live: boolean,
) {
  const where = `${file}:${at + 1}`;
  const match = /^(\w+)\s+in\s+(\w+)\.\.(\w+)$/.exec(head);
  if (!match) throw new TemplateError(`${where}: expected "//#for i in 0..COUNT", found "${head}"`);
  const [, name, from, to] = match as unknown as [string, string, string, string];
  const first = live ? integer(from, scope, where) : 0;
  const last = live ? integer(to, scope, where) : 0;
  // The body is walked once even for an empty range, to find where it closes.
  let close = block(lines, at + 1, scope, [], file, false);
  for (let i = first; i < last; i++) close = block(lines, at + 1, { ...scope, [name]: i }, out, file, true);
  return closed(lines, close, at, file);
}

function closed(lines: string[], close: number, open: number, file: string): number {
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
  return { text: text + line.slice(at), line: number, values };
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
