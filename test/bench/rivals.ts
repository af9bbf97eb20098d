/** `bun run bench:rivals`: our engine beside other WebGPU engines on the same adapter, cases and read-back. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { wholeNumber } from "../../cli/data-options.ts";
import { progress } from "../../cli/terminal.ts";
import { type Case, cases, type Group, groups } from "./cases.ts";
import { type EngineName, engineNames, engineTitles, type RivalName } from "./engines.ts";
import { installRivals } from "./install.ts";
import { Field, type MeasureOptions } from "./measure.ts";
import { markdownReport, terminalReport } from "./report.ts";
import type { Circumstances, Results, Row } from "./results.ts";

interface Flags {
  readonly only: readonly Group[];
  readonly rivals: readonly RivalName[];
  readonly match?: string;
  readonly quick?: boolean;
  readonly list?: boolean;
  readonly runs: number;
  readonly budget: number;
  readonly timeout: number;
  readonly json?: string;
  readonly fresh?: boolean;
  readonly markdown?: string;
}

/** A list of known words, separated by commas. */
function words<T extends string>(known: readonly T[]) {
  return (text: string): T[] =>
    text.split(",").map((word) => {
      const found = known.find((name) => name === word.trim());
      if (!found) throw new InvalidArgumentError(`"${word}" is none of ${known.join(", ")}`);
      return found;
    });
}

const rivalNames = engineNames.filter((name) => name !== "acutance");

function parse(): Flags {
  return new Command("bun run bench:rivals")
    .description("times this engine beside onnxruntime-node (ort), jax-js (jax) and TensorFlow.js (tfjs) on WebGPU")
    .option("--only <groups>", `of ${groups.join(", ")}`, words(groups), [...groups])
    .option("--rivals <names>", `of ${rivalNames.join(", ")}`, words(rivalNames), [...rivalNames])
    .option("--match <text>", "only cases with this in their name")
    .option("--quick", "a handful of cases")
    .option("--list", "print the cases and stop")
    .option("--runs <n>", "timed runs of each engine at a case, after a comparison and a warm-up", wholeNumber(1), 10)
    .option("--budget <seconds>", "no further run of an engine at a case after so long", wholeNumber(1), 30)
    .option("--timeout <seconds>", "an engine that does not answer so long is ended", wholeNumber(1), 600)
    .option("--json <file>", "results, written after every case; an interrupted comparison goes on from there")
    .option("--fresh", "start anew although the JSON file has results")
    .option("--markdown <file>", "tables in Markdown")
    .parse()
    .opts<Flags>();
}

function chosen({ only, quick, match }: Flags): Case[] {
  const list = cases.filter(
    (entry) => only.includes(entry.group) && (!quick || entry.quick) && (!match || entry.name.includes(match)),
  );
  if (list.length > 0) return list;
  throw new Error(
    `no case is left of ${only.join(", ")}${quick ? " with --quick" : ""}${match ? ` matching "${match}"` : ""}`,
  );
}

/** The revision measured; "+" when files differ from it. */
function commit(): string {
  const git = (...words: string[]) => spawnSync("git", words, { cwd: import.meta.dir, encoding: "utf8" });
  const head = git("rev-parse", "--short", "HEAD");
  if (head.status !== 0) return "unknown";
  return head.stdout.trim() + (git("status", "--porcelain", "--untracked-files=no").stdout.trim() ? "+" : "");
}

/** Rows of an interrupted comparison. @throws Error when they were measured under other circumstances */
function earlierRows(path: string | undefined, now: Circumstances, fresh = false): readonly Row[] {
  if (!path || fresh || !existsSync(path)) return [];
  const { circumstances, rows } = JSON.parse(readFileSync(path, "utf8")) as Results;
  for (const key of Object.keys(now) as (keyof Circumstances)[]) {
    const [then, here] = [circumstances[key], now[key]].map((value) => JSON.stringify(value));
    if (then === here) continue;
    throw new Error(`${path} was measured with ${key} ${then}, now it is ${here}; give another file, or --fresh`);
  }
  return rows;
}

/** A reader never finds half a file. */
function write(path: string, text: string): void {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}

async function openAll(field: Field, names: readonly EngineName[]) {
  const versions: Partial<Record<EngineName, string>> = {};
  const absent: Partial<Record<EngineName, string>> = {};
  const notes: Partial<Record<EngineName, string>> = {};
  let adapter = "";
  for (const name of names) {
    try {
      const engine = await field.open(name);
      versions[name] = engine.version;
      if (engine.note) notes[name] = engine.note;
      if (name === "acutance") adapter = engine.adapter;
      process.stderr.write(`${engineTitles[name]} ${engine.version}: ${engine.adapter}\n`);
    } catch (error) {
      if (name === "acutance") throw error;
      absent[name] = (error as Error).message;
      process.stderr.write(`${engineTitles[name]}: cannot be compared: ${absent[name]}\n`);
    }
  }
  return { versions, absent, notes, adapter };
}

async function compare(flags: Flags, list: readonly Case[], options: MeasureOptions): Promise<Results> {
  const field = new Field(options);
  try {
    const { versions, absent, notes, adapter } = await openAll(field, ["acutance", ...flags.rivals]);
    const circumstances: Circumstances = {
      machine: `${cpus()[0]?.model.trim()} (${cpus().length} cores), ${process.platform}-${process.arch}`,
      adapter,
      runtime: `Bun ${Bun.version}`,
      commit: commit(),
      runs: flags.runs,
      budgetSeconds: flags.budget,
      versions,
    };
    const date = new Date().toISOString().slice(0, 10);
    const rows = [...earlierRows(flags.json, circumstances, flags.fresh)];
    const results = (): Results => ({ format: 1, date, circumstances, absent, notes, rows });
    const open = list.filter(({ name }) => !rows.some((row) => row.name === name));
    const bar = progress("comparing", open.length);
    for (const wanted of open) {
      bar.advance(0, wanted.name);
      rows.push(await field.measure(wanted));
      bar.advance(1);
      if (flags.json) write(flags.json, `${JSON.stringify(results(), null, 2)}\n`);
    }
    if (open.length > 0) bar.stop();
    return results();
  } finally {
    field.close();
  }
}

async function main(): Promise<void> {
  const flags = parse();
  const list = chosen(flags);
  if (flags.list) {
    for (const { group, name } of list) console.log(`${group}: ${name}`);
    return;
  }
  await installRivals();
  const folder = mkdtempSync(join(tmpdir(), "acutance-rivals-"));
  try {
    const { runs, budget: budgetSeconds, timeout: timeoutSeconds } = flags;
    const results = await compare(flags, list, { runs, budgetSeconds, timeoutSeconds, folder });
    console.log(terminalReport(results));
    if (flags.markdown) write(flags.markdown, markdownReport(results));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
