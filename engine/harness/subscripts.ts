import { withoutComments } from "./interface.ts";

/** One `[…]` of the source whose index is not known before the kernel runs. */
export interface Subscript {
  /** What is indexed, as written: `x`, `data.values`, `x[i]`. */
  readonly of: string;
  readonly access: "read" | "written";
  /** Where its name begins in the specialised source, from 0. */
  readonly at: number;
  /** Between the brackets. */
  readonly from: number;
  readonly to: number;
  /** WGSL for the number of elements. */
  readonly length: string;
}

interface Declaration {
  readonly type: string | undefined;
  readonly at: number;
}

/** Names of a stretch of source with what they were declared as. */
type Names = Map<string, Declaration[]>;

/**
 * Finds the subscripts of arrays, vectors and matrices that plain, compiled WGSL has, through struct members, pointers to
 * variables and nested arrays. One whose type cannot be told from the text, because no declaration writes it, is left out.
 * @param counts elements of runtime-sized arrays by their variable, where there are fewer than the binding holds
 */
export function findSubscripts(wgsl: string, counts: Readonly<Record<string, number>> = {}): Subscript[] {
  return new SubscriptFinder(wgsl, counts).find();
}

class SubscriptFinder {
  readonly #wgsl: string;
  /** Without comments, places kept. */
  readonly #text: string;
  readonly #counts: Readonly<Record<string, number>>;
  /** Where the parameters and the body of each begin, and where it ends. */
  readonly #functions: { readonly open: number; readonly from: number; readonly to: number; readonly names: Names }[] =
    [];
  readonly #globals: Names = new Map();
  readonly #structs = new Map<string, Map<string, string>>();
  readonly #aliases = new Map<string, string>();
  readonly #found: Subscript[] = [];

  constructor(wgsl: string, counts: Readonly<Record<string, number>>) {
    this.#wgsl = wgsl;
    this.#text = withoutComments(wgsl);
    this.#counts = counts;
    this.#readTypes();
    this.#findFunctions();
    this.#readGlobals();
    for (const { open, from, to, names } of this.#functions) this.#readFunction(open, from, to, names);
  }

  find(): Subscript[] {
    for (const { from, to } of this.#functions) {
      for (const match of this.#text.slice(from, to).matchAll(/(?<!\w)\(\s*\*\s*(\w+)\s*\)|(?<![\w.])[A-Za-z_]\w*/g)) {
        const at = from + match.index;
        const name = match[1] ?? match[0];
        this.#walk(at, at + match[0].length, this.#typeOf(name, at), match[1] !== undefined);
      }
    }
    return this.#found;
  }

  #readTypes(): void {
    for (const [, name, body] of this.#text.matchAll(/\bstruct\s+(\w+)\s*\{([^}]*)\}/g)) {
      const members = [...body!.matchAll(/(\w+)\s*:\s*/g)].map((member) => {
        const from = member.index + member[0].length;
        return [member[1]!, typeAt(body!, from)] as const;
      });
      this.#structs.set(name!, new Map(members));
    }
    for (const [, name, type] of this.#text.matchAll(/\balias\s+(\w+)\s*=\s*([^;]+);/g)) {
      this.#aliases.set(name!, type!.trim());
    }
  }

  #findFunctions(): void {
    for (const match of this.#text.matchAll(/\bfn\s+\w+\s*\(/g)) {
      const open = match.index + match[0].length;
      const from = this.#text.indexOf("{", closing(this.#text, open - 1));
      if (from >= 0) this.#functions.push({ open, from, to: closing(this.#text, from), names: new Map() });
    }
  }

  #readFunction(open: number, from: number, to: number, names: Names): void {
    const parameters = this.#text.slice(open, from);
    for (const parameter of parameters.matchAll(/(\w+)\s*:\s*/g)) {
      add(names, parameter[1]!, typeAt(parameters, parameter.index + parameter[0].length), open);
    }
    this.#declare(names, from, to);
  }

  #readGlobals(): void {
    let from = 0;
    for (const { open, to } of this.#functions) {
      this.#declare(this.#globals, from, open);
      from = to;
    }
    this.#declare(this.#globals, from, this.#text.length);
  }

  /** Notes what `var`, `let` and `const` declare there. */
  #declare(names: Names, from: number, to: number): void {
    const stretch = this.#text.slice(from, to);
    for (const match of stretch.matchAll(/\b(?:var\s*(?:<[^>]*>)?|let|const|override)\s+(\w+)\s*([:=])\s*/g)) {
      const [whole, name, sign] = match as unknown as [string, string, string];
      const after = match.index + whole.length;
      add(
        names,
        name,
        sign === ":" ? typeAt(stretch, after) : this.#inferred(stretch, after, from, names),
        from + match.index,
      );
    }
  }

  /** Type of a value that constructs an array, vector or matrix, or is the address of a whole variable. */
  #inferred(stretch: string, at: number, from: number, names: Names): string | undefined {
    const constructed = /^(?:array\s*<|(?:vec[234]|mat[234]x[234])(?:[fhui]\b|\s*<))/.exec(stretch.slice(at));
    if (constructed) {
      const type = typeAt(stretch, at);
      return /^\s*\(/.test(stretch.slice(at + type.length)) ? type : undefined;
    }
    const address = /^&\s*(\w+)\s*;/.exec(stretch.slice(at))?.[1];
    if (address === undefined) return undefined;
    const type = this.#lookUp(names, address, from + at) ?? this.#lookUp(this.#globals, address);
    return type && `ptr<address, ${type}>`;
  }

  #lookUp(names: Names, name: string, before = Number.POSITIVE_INFINITY): string | undefined {
    const types = new Set((names.get(name) ?? []).filter(({ at }) => at < before).map(({ type }) => type));
    return types.size === 1 ? [...types][0] : undefined;
  }

  /** What a name is there; undefined where two declarations of a function differ. */
  #typeOf(name: string, at: number): string | undefined {
    const { names } = this.#functions.find(({ from, to }) => from <= at && at < to)!;
    if (names.get(name)?.some((declaration) => declaration.at < at)) return this.#lookUp(names, name, at);
    return this.#lookUp(this.#globals, name);
  }

  /** Goes along `.member` and `[index]` behind a name. */
  #walk(at: number, end: number, declared: string | undefined, dereferenced: boolean): void {
    let type = declared && this.#resolved(declared);
    const pointee = type && /^ptr\s*<\s*\w+\s*,(.*)>$/s.exec(type)?.[1];
    if (pointee) type = this.#resolved(withoutAccess(pointee));
    if (dereferenced && !pointee) return;
    const found: Omit<Subscript, "access">[] = [];
    let here = end;
    while (type) {
      const rest = this.#text.slice(here);
      const member = /^\s*\.\s*(\w+)/.exec(rest);
      if (member) {
        const inner = this.#structs.get(type)?.get(member[1]!);
        here += member[0].length;
        type = inner && this.#resolved(inner);
        continue;
      }
      const open = /^\s*\[/.exec(rest);
      if (!open) break;
      const from = here + open[0].length;
      const to = closing(this.#text, from - 1);
      const path = this.#wgsl.slice(at, here);
      const element = this.#elementOf(type, path, pointee !== undefined && !dereferenced);
      if (!element) break;
      const known = /^\s*\d+[ui]?\s*$/.test(this.#text.slice(from, to)) && !element.length.includes("arrayLength");
      if (!known && !this.#isConstant(at)) found.push({ of: path, at, from, to, length: element.length });
      type = this.#resolved(element.type);
      here = to + 1;
    }
    const written = /^(?:\s*\.\s*\w+)*\s*(?:=(?!=)|[-+*/%&|^]=|<<=|>>=|\+\+|--)/.test(this.#text.slice(here));
    const access = written || this.#isStoredTo(at) ? "written" : "read";
    for (const subscript of found) this.#found.push({ ...subscript, access });
  }

  /** Within a declaration that the compiler evaluates, and checks itself. */
  #isConstant(at: number): boolean {
    const start = Math.max(...[";", "{", "}"].map((sign) => this.#text.lastIndexOf(sign, at - 1)));
    return /^\s*(?:const|override|const_assert)\b/.test(this.#text.slice(start + 1, at));
  }

  #isStoredTo(at: number): boolean {
    return /\batomic(?:Store|Add|Sub|Max|Min|And|Or|Xor|Exchange|CompareExchangeWeak)\s*\(\s*&\s*$/.test(
      this.#text.slice(0, at),
    );
  }

  /** What a subscript gives, and how many there are. */
  #elementOf(type: string, path: string, isPointer: boolean): { type: string; length: string } | undefined {
    const array = /^array\s*<(.*)>$/s.exec(type)?.[1];
    if (array !== undefined) {
      const parts = split(array);
      if (parts[1] !== undefined) return { type: parts[0]!, length: `u32(${parts[1]})` };
      // A runtime-sized array is a variable or the last member of one.
      const count = this.#counts[path.trim()];
      const address = isPointer && /^\w+\s*$/.test(path) ? path : `&${path}`;
      return { type: parts[0]!, length: count === undefined ? `arrayLength(${address})` : `${count}u` };
    }
    const vector = /^vec([234])(?:([fhui])|\s*<(.*)>)$/s.exec(type);
    if (vector) return { type: vector[3]?.trim() ?? "scalar", length: `${vector[1]}u` };
    const matrix = /^mat([234])x([234])(?:([fh])|\s*<(.*)>)$/s.exec(type);
    return matrix ? { type: `vec${matrix[2]}<${matrix[4] ?? "scalar"}>`, length: `${matrix[1]}u` } : undefined;
  }

  #resolved(type: string): string {
    const next = this.#aliases.get(type.trim());
    return next === undefined ? type.trim() : this.#resolved(next);
  }
}

function add(names: Names, name: string, type: string | undefined, at: number): void {
  names.set(name, [...(names.get(name) ?? []), { type, at }]);
}

/** The type written from there on: up to what cannot belong to one. */
function typeAt(text: string, from: number): string {
  let depth = 0;
  let at = from;
  for (; at < text.length; at++) {
    const sign = text[at]!;
    if (sign === "<" || (depth > 0 && sign === "(")) depth++;
    else if (depth > 0 && (sign === ">" || sign === ")")) depth--;
    else if (depth === 0 && /[^\w\s]/.test(sign)) break;
  }
  return text.slice(from, at).trim();
}

/** Where the bracket that opens there closes. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if ("([{".includes(text[at]!)) depth++;
    else if (")]}".includes(text[at]!) && --depth === 0) return at;
  }
  return text.length;
}

/** `a, b<c, d>` → `a`, `b<c, d>`. */
function split(list: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const sign of list) {
    if (sign === "<" || sign === "(") depth++;
    else if (sign === ">" || sign === ")") depth--;
    if (sign === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += sign;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** `array<f32>, read` → `array<f32>`. */
function withoutAccess(pointee: string): string {
  return split(pointee)[0]!;
}
