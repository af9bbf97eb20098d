import { execFileSync } from "node:child_process";
import type { Command } from "commander";
import type { BenchResult } from "../engine/bench.ts";
import {
  addRecord,
  type BenchRecord,
  calibratedNoise,
  type Gate,
  gate,
  type History,
  histories,
  readHistory,
} from "../engine/bench-history.ts";
import type { Device } from "../engine/device/device.ts";
import { relativeNoise } from "../engine/tune/noise.ts";
import { lines } from "../models/report/chart.ts";
import { renderPage, type Section } from "../models/report/page.ts";
import { machineText } from "./bench-roofs.ts";
import { outputFile } from "./output.ts";
import { shareOf } from "./profile-compare.ts";
import { emphasis, table } from "./terminal.ts";

/** Where results are kept unless a file is named. */
export const historyFile = "bench-history.jsonl";

const gateNotes = `
A benchmark has regressed when its median grew by more than the threshold and by more than noise: how much records of the same
commit differ on this machine. bench --record --rounds 5 measures a commit five times and so calibrates it; without that the
noise is the one within the runs, which knows less. Results that were taken while the machine did something else do not count.

Exit code: 0 nothing has regressed; 1 something has, or there is nothing to compare with; 2 wrong usage.`;

/** Adds `history` and `gate` to the command `bench`. */
export function registerHistory(bench: Command): void {
  bench
    .command("history")
    .description("plot the results that bench --record has kept, commit by commit")
    .argument("[file]", "the history", historyFile)
    .option("--html <file>", "the page", "bench-history.html")
    .option("--match <text>", "only benchmarks with this in their name")
    .configureHelp({ showGlobalOptions: false })
    .action((file: string, flags: { html: string; match?: string }) => {
      const place = outputFile(flags.html, "--html");
      place.replace(historyPage(histories(readHistory(file)), flags.match));
      console.log(`${flags.html}: ${readHistory(file).length} records`);
    });
  bench
    .command("gate")
    .description("compare the latest results of a history with those before, and fail on a regression beyond noise")
    .argument("[file]", "the history", historyFile)
    .option("--threshold <share>", "growth of a median that may pass, such as 5% or 0.05", shareOf, 0.05)
    .option("--against <commit>", "compare with this commit instead of the five before")
    .option("--json", "print one JSON document")
    .configureHelp({ showGlobalOptions: false })
    .addHelpText("after", gateNotes)
    .action(runGate);
}

function runGate(file: string, flags: { threshold: number; against?: string; json?: boolean }): void {
  const history = histories(readHistory(file)).at(-1);
  if (!history) throw new Error(`${file} has no records; acutance bench --record adds one`);
  const found = gate(history, flags);
  console.log(flags.json ? JSON.stringify(found, null, 2) : gateText(found, history));
  const slower = found.rows.filter(({ state }) => state === "slower").map(({ name }) => name.trim());
  if (slower.length === 0) return;
  console.error(`${emphasis("failed:", "red", process.stderr)} slower: ${slower.join("; ")}`);
  process.exitCode = 1;
}

function gateText({ commit, against, rows, regressions }: Gate, { adapter, machine }: History): string {
  const signed = (share: number) => `${share < 0 ? "-" : "+"}${(100 * Math.abs(share)).toFixed(1)} %`;
  const cells = rows.map(({ name, beforeMs, nowMs, change, noise, isCalibrated, state }) => [
    name,
    beforeMs.toPrecision(4),
    nowMs.toPrecision(4),
    signed(change),
    `±${(100 * noise).toFixed(1)} %${isCalibrated ? "" : " (within runs)"}`,
    state === "same" ? "" : state,
  ]);
  return [
    table(["what", "before ms", "now ms", "change", "noise", ""], cells),
    `${commit.slice(0, 12)} against ${against.map((state) => state.slice(0, 12)).join(", ")}; ${regressions} of ${rows.length} are slower`,
    `${adapter}; ${machine}`,
  ].join("\n\n");
}

/** A page with a chart for each benchmark. Exported for tests. */
export function historyPage(all: readonly History[], match = ""): string {
  const sections = all.toReversed().map((history): Section => {
    const names = [...new Set(history.records.flatMap(({ results }) => results.map(({ name }) => name)))];
    const shown = names.filter((name) => name.toLowerCase().includes(match.toLowerCase()));
    return {
      title: history.adapter,
      blocks: [{ kind: "paragraph", text: history.machine }, ...shown.map((name) => chartOf(history, name))],
    };
  });
  return renderPage({ title: "Benchmarks over commits", summary: "Medians by the order of records.", sections });
}

function chartOf(history: History, name: string): Section["blocks"][number] {
  const { records } = history;
  const at = (tainted: boolean) =>
    records.flatMap(({ results }, i): [number, number][] =>
      results
        .filter((result) => result.name === name && result.tainted === tainted)
        .map(({ medianMs }) => [i + 1, medianMs]),
    );
  const noise = calibratedNoise(records, name);
  const commits = records.map(({ commit, dirty }, i) => `${i + 1}: ${commit.slice(0, 8)}${dirty ? " changed" : ""}`);
  const shown = commits.length > 12 ? [...commits.slice(0, 2), "…", ...commits.slice(-8)] : commits;
  const svg = lines({
    description: `Median of ${name.trim()}, ms, over ${records.length} records`,
    x: { label: "record", minimum: 1, maximum: Math.max(2, records.length), whole: true },
    y: { label: "median, ms", minimum: 0 },
    series: [
      { name: "median", points: at(false) },
      ...(at(true).length > 0 ? [{ name: "while the machine did something else", points: at(true) }] : []),
    ],
  });
  const told =
    noise === undefined
      ? "no commit was measured twice"
      : `records of one commit differ by ${(100 * noise).toFixed(1)} %`;
  return { kind: "figure", svg, caption: `${name.trim()}; ${told}. ${shown.join(", ")}` };
}

/** A result with what the machine did meanwhile. */
export interface Kept {
  readonly result: BenchResult;
  readonly tainted: boolean;
}

/** Adds what was measured to a history. */
export function keepResults(file: string, device: Device, kept: readonly Kept[]): BenchRecord {
  const { vendor, architecture, description, provider } = device.info;
  const record: BenchRecord = {
    format: "acutance-bench",
    version: 1,
    at: new Date().toISOString(),
    ...commitOf(),
    adapter: [description || vendor, architecture, provider].filter(Boolean).join(", "),
    machine: machineText(device),
    results: kept.map(({ result: { name, medianMs, times = [] }, tainted }) => {
      const noise = relativeNoise(times);
      return { name, medianMs, runs: Math.max(1, times.length), noise: Number.isFinite(noise) ? noise : null, tainted };
    }),
  };
  addRecord(file, record);
  return record;
}

/** Of the folder that the command runs in. */
function commitOf(): { commit: string; dirty: boolean } {
  const git = (...words: string[]) =>
    execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    return { commit: git("rev-parse", "HEAD"), dirty: git("status", "--porcelain", "--untracked-files=no") !== "" };
  } catch {
    return { commit: "unknown", dirty: false };
  }
}
