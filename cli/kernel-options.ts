import { InvalidArgumentError } from "commander";
import { type Output, OutputError, outputFile } from "./output.ts";
import { UsageError } from "./usage-error.ts";

/** Values of a repeatable option name=value. */
export function assignments(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const match = /^([A-Za-z_]\w*)=(.+)$/s.exec(text);
  if (!match) throw new InvalidArgumentError("expected name=value");
  return { ...before, [match[1]!]: match[2]! };
}

/** Values of a repeatable option name=value,value. */
export function lists(text: string, before: Readonly<Record<string, string[]>> = {}): Record<string, string[]> {
  const [[name, values]] = Object.entries(assignments(text)) as [[string, string]];
  return { ...before, [name]: values.split(",").map((value) => value.trim()) };
}

/** The file that an option names, where it names one. @throws UsageError when it cannot be written */
export function placeOf(option: string, path: string | undefined): Output | undefined {
  try {
    return path === undefined ? undefined : outputFile(path, option);
  } catch (error) {
    throw error instanceof OutputError ? new UsageError(error.message) : error;
  }
}
