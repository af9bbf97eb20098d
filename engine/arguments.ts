import { nearest } from "./nearest.ts";

/** Shapes, element types, axes or other arguments do not fit an operation. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

/** What an argument may be. */
export interface Check {
  /** Ends "stride must be …". */
  readonly allowed: string;
  readonly fits: (value: unknown) => boolean;
  /** Words that it may be; the nearest is named in the error. */
  readonly words?: readonly string[];
  /** What is thrown; RangeError unless given. */
  readonly error?: new (
    message: string,
  ) => Error;
}

/** A check for every option: a type with another option, or one less, does not compile. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check };

/** @throws RangeError, or the check's own error, with the value and what is allowed */
export function expectArgument(operation: string, name: string, value: unknown, check: Check): void {
  if (check.fits(value)) return;
  const near = typeof value === "string" && check.words ? nearest(value, check.words) : undefined;
  const hint = near ? `; did you mean "${near}"?` : "";
  const text = `${operation}: ${name} must be ${check.allowed}, got ${shown(value)}${hint}`;
  throw new (check.error ?? RangeError)(text);
}

/**
 * Looks at an object of options before anything is done with it. An option that is undefined counts as left out.
 * @throws TypeError for an option that there is not, with the nearest that there is; as {@link expectArgument} for a value
 */
export function expectOptions<Options extends object>(
  operation: string,
  options: Options,
  checks: Checks<Options>,
): void {
  expectNames(operation, options, checks);
  for (const name in options) {
    const value = options[name];
    if (value !== undefined) expectArgument(operation, name, value, checks[name]!);
  }
}

/**
 * {@link expectOptions} for the names alone, where the values are checked in other ways.
 * @throws TypeError
 */
export function expectNames(operation: string, options: object, known: object): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new TypeError(`${operation}: the options must be an object, got ${shown(options)}`);
  for (const name in options) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    const near = nearest(name, names);
    const hint = near ? `did you mean "${near}"?` : `there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}`;
    throw new TypeError(`unknown option "${name}" of ${operation}; ${hint}`);
  }
}

/** A value as an error shows it, cut when it is long. */
export function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return cut(JSON.stringify(value));
  if (typeof value !== "object" || value === null) return String(value);
  const kind = value.constructor?.name ?? "object";
  if (ArrayBuffer.isView(value)) return `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind} of ${value.byteLength} bytes`;
  if (Array.isArray(value)) return cut(`[${value.map((each) => shown(each)).join(", ")}]`);
  if (kind !== "Object") return `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind}`;
  const entries = Object.entries(value).map(
    ([name, each]) => `${name}: ${typeof each === "object" && each !== null ? "…" : shown(each)}`,
  );
  return entries.length === 0 ? "{}" : cut(`{ ${entries.join(", ")} }`);
}

function cut(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

/** Whole numbers from `least` on, up to what a number holds exactly unless `most` is given. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): Check {
  const upTo = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return { allowed: `a whole number ${upTo}`, fits: (value) => isWhole(value, least, most), error: ShapeError };
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** The largest extent, stride or margin that kernels count with. */
const mostPixels = 2 ** 31 - 1;

/** One whole number from `least` on for both axes, or one for each. */
export function sides(least: number): Check {
  const isSide = (value: unknown) => isWhole(value, least, mostPixels);
  return {
    allowed: `a whole number of at least ${least}, or [height, width] of them`,
    fits: (value) => isSide(value) || (Array.isArray(value) && value.length === 2 && value.every(isSide)),
    error: ShapeError,
  };
}

/** Pixels around a picture: one number, [height, width], or [[top, bottom], [left, right]]. */
export const margins: Check = {
  allowed: "a whole number of at least 0, [height, width] of them, or [[top, bottom], [left, right]]",
  fits: (value) =>
    sides(0).fits(value) ||
    (Array.isArray(value) && value.length === 2 && value.every((each) => Array.isArray(each) && sides(0).fits(each))),
  error: ShapeError,
};

/** So many pixels or elements, at least 1. */
export const extent = whole(1, mostPixels);

function isNumber(value: unknown): value is number {
  return typeof value === "number" && !Number.isNaN(value);
}

/** Any finite number. */
export const finite: Check = { allowed: "a finite number", fits: Number.isFinite };
/** A finite number above 0. */
export const positive: Check = {
  allowed: "a finite number above 0",
  fits: (value) => Number.isFinite(value) && (value as number) > 0,
};
/** A finite number of at least 0. */
export const notNegative: Check = {
  allowed: "a finite number of at least 0",
  fits: (value) => Number.isFinite(value) && (value as number) >= 0,
};
/** A number, infinite ones too. */
export const number: Check = { allowed: "a number", fits: isNumber };
/** A share of a whole, 0 … 1. */
export const share: Check = {
  allowed: "a number from 0 to 1",
  fits: (value) => isNumber(value) && value >= 0 && value <= 1,
};
/** From 0 to below 1. */
export const belowOne: Check = {
  allowed: "a number from 0 to below 1",
  fits: (value) => isNumber(value) && value >= 0 && value < 1,
};
export const flag: Check = { allowed: "true or false", fits: (value) => typeof value === "boolean", error: TypeError };
export const text: Check = { allowed: "a text", fits: (value) => typeof value === "string", error: TypeError };
export const callback: Check = {
  allowed: "a function",
  fits: (value) => typeof value === "function",
  error: TypeError,
};
export const object: Check = {
  allowed: "an object",
  fits: (value) => typeof value === "object" && value !== null,
  error: TypeError,
};
/** Looked at by the operation itself. */
export const any: Check = { allowed: "anything", fits: () => true };

/** One of some words. */
export function oneOf(...words: readonly string[]): Check {
  const allowed = words.map((word) => `"${word}"`).join(" or ");
  return { allowed, words, fits: (value) => typeof value === "string" && words.includes(value) };
}

/** The number of an axis that may count from the last. @throws ShapeError when there is none */
export function axisOf(operation: string, shape: readonly number[], axis: number): number {
  const at = axis < 0 ? axis + shape.length : axis;
  if (Number.isInteger(axis) && at >= 0 && at < shape.length) return at;
  const allowed = shape.length === 0 ? "none" : `whole numbers from ${-shape.length} to ${shape.length - 1}`;
  throw new ShapeError(`${operation}: [${shape}] has no axis ${shown(axis)}; there are ${allowed}`);
}

/** @throws TypeError when the value is no list of so many things that each fit */
export function expectList(operation: string, name: string, value: unknown, check: Check): void {
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  if (!isList) throw new ShapeError(`${operation}: ${name} must be a list, found ${shown(value)}`);
  (value as unknown[]).forEach((each, i) => {
    expectArgument(operation, `${name}[${i}]`, each, check);
  });
}
