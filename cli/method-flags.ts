import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import type { Method } from "../models/training/method.ts";
import type { TrainingOptions } from "../models/training/options.ts";
import { flagOf } from "./option-words.ts";

/** Options of the schema that the data options already use in another meaning. */
const flagNames: Record<string, string> = { range: "range-of-labels" };

function fieldsOf({ schema }: Method): [string, z.ZodDefault][] {
  return Object.entries(schema.shape) as [string, z.ZodDefault][];
}

const methodFlag = (name: string) => flagNames[name] ?? flagOf(name);

/** A number, or numbers by commas, for commander. */
function numbers(text: string): string {
  if (text.split(",").every((part) => part.trim() !== "" && !Number.isNaN(Number(part)))) return text;
  throw new InvalidArgumentError("expected a number");
}

/** What a list of words may hold; undefined of an option that is none. */
function wordsOf(field: z.ZodDefault): readonly string[] | undefined {
  const type = field.unwrap();
  return type instanceof z.ZodArray && type.element instanceof z.ZodEnum
    ? (type.element.options as readonly string[])
    : undefined;
}

/** Words by commas, for commander. */
const among = (words: readonly string[]) => (text: string) => {
  const unknown = text.split(",").find((word) => !words.includes(word.trim()));
  if (unknown === undefined) return text;
  throw new InvalidArgumentError(`there is no "${unknown.trim()}"; choose of ${words.join(", ")}`);
};

/** One flag for every option of the method, so that the schema stays the only list of them. */
export function addMethodOptions(command: Command, method: Method): void {
  for (const [name, field] of fieldsOf(method)) {
    const flag = methodFlag(name);
    const words = wordsOf(field);
    const description = field.description!.replace(/`(\w+)`/g, (_, other) => `--${methodFlag(other)}`);
    const type = field.unwrap();
    const initial = field.parse(undefined);
    const isList = Array.isArray(initial);
    const text = `${description} (default: ${isList && initial.length === 0 ? "none" : initial})`;
    if (initial === true) command.option(`--no-${flag}`, `do not: ${description}`);
    else if (initial === false) command.option(`--${flag}`, description);
    else if ("options" in type)
      command.addOption(new Option(`--${flag} <word>`, text).choices(type.options as readonly string[]));
    else if (words)
      command.option(
        `--${flag} <names>`,
        `${description}: by commas, of ${words.join(", ")} (default: all)`,
        among(words),
      );
    else command.option(`--${flag} <${isList ? "n,n,…" : "n"}>`, text, numbers);
  }
}

/** Method options among the flags, converted to the types of the schema. */
export function methodOptions(method: Method, flags: Readonly<Record<string, unknown>>): TrainingOptions {
  const given: Record<string, unknown> = {};
  for (const [name, field] of fieldsOf(method)) {
    const key = methodFlag(name).replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());
    const value = flags[key];
    if (value === undefined) continue;
    const initial = field.parse(undefined);
    const parts = String(value)
      .split(",")
      .map((part) => part.trim());
    if (Array.isArray(initial)) given[name] = wordsOf(field) ? parts : parts.map(Number);
    else given[name] = typeof initial === "number" ? Number(value) : value;
  }
  return method.options(given as never);
}
