/** Values a kernel file can be specialised with. Booleans drive `//#if`; numbers and words are also substituted. */
export type Constants = Readonly<Record<string, number | boolean | string>>;

/** A `.wgsl` file uses the template step wrongly, or a constant it needs was not given. */
export class TemplateError extends Error {
  override name = "TemplateError";
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
  const lines = source.split("\n");
  const out: string[] = [];
  const end = block(lines, 0, { ...constants }, out, file, true);
  if (end < lines.length) throw new TemplateError(`${file}:${end + 1}: //#end or //#else without //#if or //#for`);
  return out.join("\n");
}

/** Expands lines from `start` up to the `//#end` or `//#else` that closes the block; returns the index of that line. */
function block(lines: string[], start: number, scope: Scope, out: string[], file: string, live: boolean): number {
  let at = start;
  while (at < lines.length) {
    const line = lines[at]!;
    const match = directive.exec(line);
    if (!match) {
      if (live) out.push(substitute(line, scope, `${file}:${at + 1}`));
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
  out: string[],
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
  out: string[],
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

function substitute(line: string, scope: Scope, where: string): string {
  return line.includes("{{") ? line.replace(/\{\{(\w+)\}\}/g, (_, name) => String(lookup(name, scope, where))) : line;
}

function lookup(name: string, scope: Scope, where: string): number | boolean | string {
  const value = scope[name];
  if (value === undefined) {
    throw new TemplateError(
      `${where}: constant ${name} was not given; given: ${Object.keys(scope).join(", ") || "none"}`,
    );
  }
  return value;
}
