import { WeightsError } from "./stored.ts";

/** A pickle that is damaged or asks for what is not known here; names the file, the opcode and its position. */
export class PickleError extends WeightsError {
  override name = "PickleError";
}

/** The bytes end before the pickle does. */
export class PickleEndError extends PickleError {}

/** Python's tuple. Other values: None null, int number or bigint, str string, bytes Uint8Array, list array, dict Map. */
export class Tuple {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** Stands for a value that is known and harmless, and that nobody here asks for. */
export const unread = Symbol("unread");

/** What a called class has of the machine. */
export interface PickleContext {
  fail(what: string): never;
  /** Counts items that are copied; fails when a pickle makes far more of them than it has bytes for. */
  spend(items: number): void;
}

/** What a class or function of a pickle is here: our own code, called with the pickle's arguments. */
export type KnownFunction = (args: readonly unknown[], context: PickleContext) => unknown;

export interface PickleRules {
  /** Names the file in errors. */
  readonly source: string;
  /** By "module.name": a {@link KnownFunction}, or any other value that the pickle may name. All others are refused. */
  readonly classes: ReadonlyMap<string, unknown>;
  /** What a persistent id stands for; without it they are refused. */
  readonly persistent?: KnownFunction;
}

/** A value's type in Python's words, for errors. */
export function kindOf(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "number" || typeof value === "bigint") return `the number ${brief(String(value))}`;
  if (typeof value === "string") return `the text ${JSON.stringify(brief(value))}`;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "function") return "a class";
  if (value instanceof Tuple) return `a tuple of ${value.items.length}`;
  if (value instanceof Map) return `a dict of ${value.size}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return value instanceof Uint8Array ? `${value.length} bytes` : "an object";
}

/** A text from a file for an error message: damage can be long and hold control characters. */
export function brief(text: string): string {
  const plain = text.slice(0, 80).replaceAll(/\p{C}/gu, "�");
  return text.length > 80 ? `${plain}…` : plain;
}
