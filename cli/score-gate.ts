import { dirname } from "node:path";
import { type Command, Option } from "commander";
import XMLBuilder from "fast-xml-builder";
import { asText, printable } from "../models/data/files/file-name.ts";
import { type Output, outputFile } from "./output.ts";
import type { ScoreRow } from "./score-row.ts";
import { number } from "./score-select.ts";

export interface GateFlags {
  readonly failBelow?: number;
  readonly annotations?: "github";
  readonly junit?: string;
}

/** Exit code of a run in which a picture is below the gate. */
export const belowGate = 3;

/** Adds --fail-below, --annotations and --junit. */
export function addGateOptions(command: Command): Command {
  return command
    .option(
      "--fail-below <score>",
      "end with exit code 3 when a picture has a lower score, and list them on standard error; see acutance calibrate",
      number,
    )
    .addOption(
      new Option(
        "--annotations <form>",
        "also print what fails and what has no score on standard error as annotations of GitHub Actions",
      ).choices(["github"]),
    )
    .option("--junit <file>", "also write a report in the form of JUnit: a test for each picture");
}

/** Judges pictures by the least score that is good enough. */
export class Gate {
  readonly #flags: GateFlags;
  readonly #junit: Output | undefined;

  /** @throws OutputError when the report cannot be written */
  constructor(flags: GateFlags) {
    this.#flags = flags;
    this.#junit = flags.junit === undefined ? undefined : outputFile(flags.junit, "--junit");
  }

  /** Tells of all pictures; how many are below. */
  judge(rows: readonly ScoreRow[]): number {
    const { failBelow, annotations } = this.#flags;
    const below = rows.filter((row) => this.#fails(row));
    if (failBelow !== undefined && below.length > 0) {
      const lines = below.map((row) => `  ${this.#why(row)}: ${printable(row.path)}`);
      console.error([`${below.length} of ${rows.length} pictures are below ${failBelow}:`, ...lines].join("\n"));
    }
    if (annotations) for (const row of rows) this.#annotate(row);
    this.#junit?.replace(this.#report(rows));
    return below.length;
  }

  #annotate(row: ScoreRow): void {
    const failed = this.#fails(row);
    if (!failed && !("error" in row)) return;
    const title = failed ? "Low picture quality" : "Picture without a score";
    console.error(annotation(row.path, title, this.#why(row)));
  }

  #fails(row: ScoreRow): boolean {
    const { failBelow } = this.#flags;
    return failBelow !== undefined && !("error" in row) && row.score < failBelow;
  }

  #why(row: ScoreRow): string {
    if ("error" in row) return row.error;
    const reasons = (row.reasons ?? []).map(({ reason }) => reason.replace("-", " ")).join(", ");
    return `${row.score.toFixed(2)}${reasons && ` (${reasons})`}`;
  }

  #report(rows: readonly ScoreRow[]): string {
    const cases = rows.map((row) => {
      const name = { "@name": inXml(asText(row.path)), "@classname": inXml(asText(dirname(row.path))) };
      if ("error" in row) return { ...name, error: { "@message": inXml(row.error) } };
      const found = { ...name, properties: { property: { "@name": "score", "@value": String(row.score) } } };
      const message = `${this.#why(row)} is below ${this.#flags.failBelow}`;
      return this.#fails(row) ? { ...found, failure: { "@type": "score", "@message": inXml(message) } } : found;
    });
    const counts = {
      "@tests": rows.length,
      "@failures": rows.filter((row) => this.#fails(row)).length,
      "@errors": rows.filter((row) => "error" in row).length,
    };
    const builder = new XMLBuilder({
      attributeNamePrefix: "@",
      ignoreAttributes: false,
      format: true,
      suppressEmptyNode: true,
    });
    const suite = { "@name": "acutance score", ...counts, testcase: cases };
    return builder.build({
      "?xml": { "@version": "1.0", "@encoding": "UTF-8" },
      testsuites: { ...counts, testsuite: suite },
    });
  }
}

// Everything that XML 1.0 has no way to write, and line ends, which a reader makes spaces of.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unwritable = /[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g;

/** Text as an attribute can hold it. */
function inXml(text: string): string {
  return text
    .toWellFormed()
    .replace(unwritable, (letter) => `\\x${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

/**
 * A line that GitHub Actions takes for an error of a file: https://docs.github.com/actions/reference/workflow-commands-for-github-actions. It
 * reads both streams of a step, and shows ten such lines of it; the log has all.
 */
export function annotation(path: string, title: string, message: string): string {
  const escaped = (text: string) => asText(text).replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A");
  const property = (text: string) => escaped(text).replace(/:/g, "%3A").replace(/,/g, "%2C");
  return `::error file=${property(path)},title=${property(title)}::${escaped(message)}`;
}
