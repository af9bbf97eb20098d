import { z } from "zod";
import { shown } from "../engine/arguments.ts";
import { nearest } from "../engine/nearest.ts";

// Bounds are far beyond what is of use, and below what would ask for memory or time without end: options are read from files, too.
export const count = z.number().int().min(1).max(1_000_000);
export const some = z.number().int().min(1).max(1000);
export const side = z.number().int().min(1).max(8192);
export const batch = z.number().int().min(1).max(65_536);
// The kernels count in f32.
export const positive = z.number().positive().max(3e38);
export const atLeastZero = z.number().min(0).max(3e38);
export const share = z.number().min(0).max(1);
export const wholeFromZero = z.number().int().min(0).max(1_000_000);

/** An option has a value that it cannot have. Messages have names of options in back-quotes. */
export class OptionError extends Error {
  override name = "OptionError";
}

/**
 * Fills in the defaults of a schema and checks every option.
 * @throws OptionError naming the option, what was given and what is allowed
 */
export function optionsBy<Schema extends z.ZodObject>(schema: Schema, input: z.input<Schema>): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const unknown = (key: string) => {
    const near = nearest(key, Object.keys(schema.shape));
    return `unknown option "${key}"${near ? `; did you mean "${near}"?` : ""}`;
  };
  const lines = result.error.issues.map((issue) => {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknown(key)).join(", ");
    const [name, ...within] = issue.path;
    if (name === undefined) return `the options: ${issue.message}`;
    const value = (input as Readonly<Record<PropertyKey, unknown>>)[name];
    const entry = within.length > 0 ? `, entry ${Number(within[0]) + 1}` : "";
    return `\`${String(name)}\` ${shown(value)}${entry}: ${issue.message}`;
  });
  throw new OptionError(`wrong training options: ${lines.join("; ")}`);
}

/** An option with another default. */
export function otherDefault<Form extends z.ZodType>(
  option: z.ZodDefault<Form>,
  value: z.util.NoUndefined<z.output<Form>>,
): z.ZodDefault<Form> {
  return option
    .unwrap()
    .default(value)
    .describe(option.description ?? "");
}
