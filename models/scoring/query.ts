import jsep from "jsep";
import { reasons } from "../reasons/names.ts";

/** A query cannot be read; the message shows the place. */
export class QueryError extends Error {
  override name = "QueryError";
}

/** What a query may ask of a picture; what is not known of it is undefined. */
export type QueryFields = Readonly<Partial<Record<string, number | string | undefined>>>;

/** Fields of reasons: their names without dashes, as in `motionBlur`. */
export const reasonFields: ReadonlyMap<string, (typeof reasons)[number]> = new Map(
  reasons.map((reason) => [reason.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()), reason]),
);

/** Fields by their meaning. */
export const queryFields: Readonly<Record<string, { readonly kind: "number" | "text"; readonly is: string }>> = {
  score: { kind: "number", is: "on the model's range" },
  low: { kind: "number", is: "end of the interval of people's opinion" },
  high: { kind: "number", is: "its other end" },
  percentile: { kind: "number", is: "place among the pictures of the run, 0 to 100, the best near 100" },
  referencePercentile: { kind: "number", is: "place among the pictures that the model carries, 0 to 100" },
  standardDeviation: { kind: "number", is: "of the predicted distribution" },
  confidence: { kind: "number", is: "of the predicted distribution, 0 to 1" },
  typicality: { kind: "number", is: "share of known photographs that are less typical, 0 to 1" },
  kind: { kind: "text", is: '"typical", "unusual" or "unlike" what the model knows' },
  sharpness: { kind: "number", is: "of the sharpest tenth of the picture, 0 to 1" },
  width: { kind: "number", is: "pixels, upright" },
  height: { kind: "number", is: "pixels, upright" },
  megapixels: { kind: "number", is: "millions of pixels" },
  size: { kind: "number", is: "bytes of the file" },
  path: { kind: "text", is: "as the list of pictures has it" },
  ...Object.fromEntries(
    [...reasonFields].map(([field, reason]) => [
      field,
      { kind: "number" as const, is: `probability that ${reason} lowers the score, 0 where it is not told` },
    ]),
  ),
};

type Value = number | string | boolean | undefined;
type Kind = "number" | "text" | "truth";
interface Part {
  readonly kind: Kind;
  readonly of: (fields: QueryFields) => Value;
}

/**
 * Reads a query such as `score < 30 and (sharpness < 0.2 or path ~ "*.png")`: fields of {@link queryFields}, numbers, texts in quotes, + - * /, comparisons
 * (< <= > >= == !=), `~` for a path or text that matches a pattern (`*` any characters, `?` one; without a slash it is of the file's name; letter
 * case does not count), `and`, `or`, `not` (also && || !). What compares something that is not known of a picture is neither true nor false, and such a
 * picture is not taken.
 * @returns whether a picture is taken
 * @throws QueryError that shows the place
 */
export function parseQuery(text: string): ((fields: QueryFields) => boolean) & { readonly names: ReadonlySet<string> } {
  const names = new Set<string>();
  const query = new Reading(text, names).part(treeOf(text));
  if (query.kind !== "truth")
    throw new QueryError(`"${text}" is a ${query.kind}, not a question; compare it, as in score < 30`);
  return Object.assign((fields: QueryFields) => query.of(fields) === true, { names });
}

const own = { "~": 6, and: 2, or: 1 } as const;

/** The operators are the parser's for the time of a reading: others who use it know no such words. */
function treeOf(text: string): jsep.Expression {
  const fail = (message: string, at: number) => new QueryError(`the query ${pointed(text, at)}: ${message}`);
  if (text.trim() === "") throw new QueryError('an empty query; write one such as "score < 30"');
  jsep.removeUnaryOp("~");
  jsep.addUnaryOp("not");
  for (const [word, precedence] of Object.entries(own)) jsep.addBinaryOp(word, precedence);
  try {
    const tree = jsep(text);
    if (tree.type !== "Compound") return tree;
    const [, second] = (tree as jsep.Compound).body;
    const at = Math.max(0, placeOf(text, second!));
    throw fail("an operator such as and is missing, or a part of one", at);
  } catch (error) {
    if (error instanceof QueryError) throw error;
    const { description, index = 0 } = error as { description?: string; index?: number };
    const equals = text[index] === "=" ? '; "is equal" is written ==' : "";
    const words = description ?? String(error);
    throw fail(`${words.slice(0, 1).toLowerCase()}${words.slice(1)}${equals}`, index);
  } finally {
    for (const word of Object.keys(own)) jsep.removeBinaryOp(word);
    jsep.removeUnaryOp("not");
    jsep.addUnaryOp("~");
  }
}

/** Where a part stands, as far as that can be told: parts do not know their places. */
function placeOf(text: string, node: jsep.Expression): number {
  const { name, raw, operator } = node as { name?: string; raw?: string; operator?: string };
  const word = name ?? raw ?? operator;
  if (word === undefined) return -1;
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text.search(name === undefined ? new RegExp(escaped) : new RegExp(`(?<![\\w$"'])${escaped}(?![\\w$"'])`));
}

/** The text with a mark before the place that is meant. */
function pointed(text: string, at: number): string {
  return at < 0 ? `"${text}"` : `"${text.slice(0, at)}▸${text.slice(at)}", character ${at + 1}`;
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
};

const comparisons: Readonly<Record<string, (a: number | string, b: number | string) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

class Reading {
  readonly #text: string;
  readonly #names: Set<string>;

  constructor(text: string, names: Set<string>) {
    this.#text = text;
    this.#names = names;
  }

  part(node: jsep.Expression): Part {
    switch (node.type) {
      case "Literal":
        return this.#literal(node as jsep.Literal);
      case "Identifier":
        return this.#field(node as jsep.Identifier);
      case "UnaryExpression":
        return this.#unary(node as jsep.UnaryExpression);
      case "BinaryExpression":
        return this.#binary(node as jsep.BinaryExpression);
      default:
        throw this.#fail(node, `${node.type} is no part of a query`);
    }
  }

  #literal(node: jsep.Literal): Part {
    const { value } = node;
    if (typeof value === "number") return { kind: "number", of: () => value };
    if (typeof value === "string") return { kind: "text", of: () => value };
    throw this.#fail(node, "a number or a text in quotes is expected");
  }

  #field(node: jsep.Identifier): Part {
    const { name } = node;
    const field = Object.hasOwn(queryFields, name) ? queryFields[name] : undefined;
    if (!field) throw this.#fail(node, `there is no field ${name}; there are ${Object.keys(queryFields).join(", ")}`);
    this.#names.add(name);
    return { kind: field.kind, of: (fields) => fields[name] };
  }

  #unary(node: jsep.UnaryExpression): Part {
    const { operator } = node;
    const { kind, of } = this.part(node.argument);
    if (operator === "-" || operator === "+") {
      if (kind !== "number") throw this.#fail(node, `${operator} is of numbers`);
      return { kind, of: (fields) => negated(of(fields), operator === "-" ? -1 : 1) };
    }
    if (operator !== "not" && operator !== "!") throw this.#fail(node, `there is no operator ${operator}`);
    if (kind !== "truth") throw this.#fail(node, `${operator} is of a comparison: put that in brackets`);
    return {
      kind,
      of: (fields) => {
        const value = of(fields);
        return value === undefined ? undefined : !value;
      },
    };
  }

  #binary(node: jsep.BinaryExpression): Part {
    const { operator } = node;
    const [a, b] = [this.part(node.left), this.part(node.right)];
    const both = (kind: Kind) => a.kind === kind && b.kind === kind;
    if (["and", "&&", "or", "||"].includes(operator)) {
      if (!both("truth")) throw this.#fail(node, `${operator} is between comparisons`);
      return {
        kind: "truth",
        of: (fields) => joined(operator === "and" || operator === "&&", a.of(fields), () => b.of(fields)),
      };
    }
    if (operator === "~") {
      if (!both("text") || node.right.type !== "Literal")
        throw this.#fail(node, '~ is between a text and a pattern in quotes, as in path ~ "*.jpg"');
      const matches = matcher(b.of({}) as string);
      return { kind: "truth", of: (fields) => known(a.of(fields), (text) => matches(text as string)) };
    }
    const compare = comparisons[operator];
    if (compare) {
      const fits = both("number") || (both("text") && (operator === "==" || operator === "!="));
      if (!fits) throw this.#fail(node, `${operator} cannot compare a ${a.kind} with a ${b.kind}`);
      return {
        kind: "truth",
        of: (fields) => known(a.of(fields), (left) => known(b.of(fields), (right) => compare(left, right))),
      };
    }
    const compute = arithmetic[operator];
    if (!compute) throw this.#fail(node, `there is no operator ${operator}`);
    if (!both("number")) throw this.#fail(node, `${operator} is between numbers`);
    return {
      kind: "number",
      of: (fields) =>
        known(a.of(fields), (left) => known(b.of(fields), (right) => compute(left as number, right as number))),
    };
  }

  #fail(node: jsep.Expression, message: string): QueryError {
    return new QueryError(`the query ${pointed(this.#text, placeOf(this.#text, node))}: ${message}`);
  }
}

function known<T extends Value>(value: Value, then: (value: number | string) => T): T | undefined {
  return value === undefined ? undefined : then(value as number | string);
}

const negated = (value: Value, sign: number) => (value === undefined ? undefined : sign * (value as number));

/** Of three truths, one of which is "not known": what the other says alone is so. */
function joined(isAnd: boolean, left: Value, right: () => Value): Value {
  if (left === !isAnd) return left;
  const other = right();
  if (other === !isAnd) return other;
  return left === undefined || other === undefined ? undefined : isAnd;
}

function matcher(pattern: string): (text: string) => boolean {
  const source = pattern.replace(/[.*+?^${}()|[\]\\]/g, (letter) =>
    letter === "*" ? ".*" : letter === "?" ? "." : `\\${letter}`,
  );
  const expression = new RegExp(`^${source}$`, "isu");
  return (text) => expression.test(/[/\\]/.test(pattern) ? text : text.replace(/^.*[/\\]/s, ""));
}
