import { type Command, Option } from "commander";
import { z } from "zod";
import { wholeNumber } from "./data-options.ts";
import { byteCount } from "./device.ts";
import { flagOf } from "./option-words.ts";

/** Fields of a schema that are numbers, by the names that the library has for them. */
type Numbers = Readonly<Record<string, z.ZodType>>;

/**
 * A flag for each number of a schema, with its description, default and least value. Its name says what it counts: Bytes and
 * Rate are sizes such as 64MiB, Seconds seconds. What is too large, the library refuses.
 */
export function addSchemaFlags(command: Command, fields: Numbers): Command {
  for (const [name, field] of Object.entries(fields)) {
    const isSize = /(Bytes|Rate)$/.test(name);
    const unit = isSize ? "size" : name.endsWith("Seconds") ? "s" : "n";
    const option = new Option(`--${flagOf(name)} <${unit}>`, field.description);
    option.argParser(isSize ? byteCount : wholeNumber(leastOf(field)));
    const initial = field.parse(undefined);
    if (initial !== undefined) option.default(initial);
    command.addOption(option);
  }
  return command;
}

/** The numbers of a schema among the flags. */
export function schemaOptions<Fields extends Numbers>(
  fields: Fields,
  flags: Readonly<Record<string, unknown>>,
): { [Name in keyof Fields]?: number } {
  const entries = Object.keys(fields).map((name) => [name, flags[new Option(`--${flagOf(name)}`).attributeName()]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** The least whole number that a field takes. */
function leastOf(field: z.ZodType): number {
  const { minimum, exclusiveMinimum = -1 } = z.toJSONSchema(field, { io: "input" });
  return minimum ?? Math.floor(Number(exclusiveMinimum)) + 1;
}
