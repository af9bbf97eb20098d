import jsep from "jsep";
import { KernelUsageError } from "./errors.ts";

/** What an expression may name: numbers, and lists of numbers with further properties (`a[0]`, `a.size`). */
export type Scope = (name: string) => number | Record<string, number> | undefined;

const binary: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "**": (a, b) => a ** b,
  "<": (a, b) => Number(a < b),
  "<=": (a, b) => Number(a <= b),
  ">": (a, b) => Number(a > b),
  ">=": (a, b) => Number(a >= b),
  "==": (a, b) => Number(a === b),
  "!=": (a, b) => Number(a !== b),
};

const unary: Readonly<Record<string, (a: number) => number>> = { "-": (a) => -a, "+": (a) => a };

const functions: Readonly<Record<string, (...values: number[]) => number>> = {
  ceil: Math.ceil,
  floor: Math.floor,
  round: Math.round,
  abs: Math.abs,
  sqrt: Math.sqrt,
  log2: Math.log2,
  min: Math.min,
  max: Math.max,
};

/**
 * Value of an arithmetic expression such as `ceil(M / TILE_M)`: + - * / % **, comparisons (1 or 0), `test ? a : b`, ceil,
 * floor, round, abs, sqrt, log2, min, max, and the names of `scope`. Division is that of real numbers.
 * @throws KernelUsageError when it cannot be read, names something unknown, or is not finite
 */
export function evaluate(text: string, scope: Scope): number {
  const [value] = evaluateList(text, scope, 1);
  return value!;
}

/**
 * Values of expressions separated by commas.
 * @param most how many there may be
 * @throws KernelUsageError as {@link evaluate}
 */
export function evaluateList(text: string, scope: Scope, most = Number.POSITIVE_INFINITY): number[] {
  const trees = parse(text);
  if (trees.length === 0 || trees.length > most) {
    const expected = Number.isFinite(most) ? `1 to ${most}`.replace("1 to 1", "one") : "at least one";
    throw new KernelUsageError(`"${text}" holds ${trees.length} expressions, expected ${expected}`);
  }
  return trees.map((tree) => {
    const value = valueIn(tree, scope, text);
    if (!Number.isFinite(value)) throw new KernelUsageError(`"${text}" is ${value}, expected a finite number`);
    return value;
  });
}

/** Names that an expression uses, function names excluded. */
export function namesIn(text: string): string[] {
  const names = new Set<string>();
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const entry of node) walk(entry);
      return;
    }
    if (typeof node !== "object" || node === null) return;
    const { type, name } = node as jsep.Identifier;
    if (type === "Identifier") names.add(name);
    for (const [key, child] of Object.entries(node)) {
      if (key === "callee") continue;
      if (key === "property" && (node as jsep.MemberExpression).computed === false) continue;
      walk(child);
    }
  };
  walk(parse(text));
  return [...names];
}

function parse(text: string): jsep.Expression[] {
  // Commas alone part one expression from the next.
  const list = `[${text}]`;
  try {
    const tree = jsep(list) as jsep.ArrayExpression;
    if (tree.type !== "ArrayExpression") throw new KernelUsageError(`"${text}" is not an expression`);
    const { elements } = tree;
    const written = separators(text) + 1;
    if (text.trim() && elements.length !== written) throw new KernelUsageError(`"${text}": an operator is missing`);
    return elements.map((element) => {
      if (!element) throw new KernelUsageError(`"${text}" has an empty place between two commas`);
      return element;
    });
  } catch (error) {
    if (error instanceof KernelUsageError) throw error;
    const { description, index } = error as { description?: string; index?: number };
    throw new KernelUsageError(`"${text}" at character ${index}: ${description ?? (error as Error).message}`);
  }
}

/** Commas outside brackets. */
function separators(text: string): number {
  let depth = 0;
  let count = 0;
  for (const letter of text) {
    if (letter === "(" || letter === "[") depth++;
    else if (letter === ")" || letter === "]") depth--;
    else if (letter === "," && depth === 0) count++;
  }
  return count;
}

function valueIn(node: jsep.Expression, scope: Scope, text: string): number {
  const value = (child: unknown) => valueIn(child as jsep.Expression, scope, text);
  switch (node.type) {
    case "Literal":
      if (typeof node["value"] === "number") return node["value"];
      if (typeof node["value"] === "boolean") return Number(node["value"]);
      break;
    case "Identifier": {
      const found = named(node["name"] as string, scope, text);
      if (typeof found === "number") return found;
      throw new KernelUsageError(
        `"${text}": ${node["name"]} is a list; write ${node["name"]}[0] or ${node["name"]}.size`,
      );
    }
    case "MemberExpression":
      return member(node as jsep.MemberExpression, scope, text);
    case "UnaryExpression":
    case "BinaryExpression": {
      const operator = node["operator"] as string;
      if (node.type === "UnaryExpression" && unary[operator]) return unary[operator](value(node["argument"]));
      if (node.type === "BinaryExpression" && binary[operator]) {
        return binary[operator](value(node["left"]), value(node["right"]));
      }
      throw new KernelUsageError(`"${text}": unknown operator ${operator}; known: ${Object.keys(binary).join(" ")}`);
    }
    case "ConditionalExpression":
      return value(value(node["test"]) !== 0 ? node["consequent"] : node["alternate"]);
    case "CallExpression": {
      const name = (node["callee"] as jsep.Identifier).name;
      if (!Object.hasOwn(functions, name)) {
        throw new KernelUsageError(`"${text}": unknown function ${name}; known: ${Object.keys(functions).join(", ")}`);
      }
      return functions[name]!(...(node["arguments"] as unknown[]).map(value));
    }
  }
  throw new KernelUsageError(`"${text}" is not an arithmetic expression`);
}

function named(name: string, scope: Scope, text: string): number | Record<string, number> {
  const found = scope(name);
  if (found === undefined) throw new KernelUsageError(`"${text}": ${name} is neither a constant nor a buffer`);
  return found;
}

function member({ object, property, computed }: jsep.MemberExpression, scope: Scope, text: string): number {
  const name = (object as jsep.Identifier).name;
  const list = named(name, scope, text);
  const key = computed ? String(valueIn(property, scope, text)) : (property as jsep.Identifier).name;
  if (typeof list === "number" || !Object.hasOwn(list, key)) {
    const known = typeof list === "number" ? "it is a number" : `it has ${Object.keys(list).join(", ")}`;
    throw new KernelUsageError(`"${text}": ${name} has no ${key}; ${known}`);
  }
  return list[key]!;
}
