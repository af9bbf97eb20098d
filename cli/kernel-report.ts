import { stringify } from "csv-stringify/sync";
import type { OutOfBounds } from "../engine/harness/bounds.ts";
import type { Check } from "../engine/harness/compare.ts";
import type { Strays } from "../engine/harness/repeats.ts";
import type { KernelRun } from "../engine/harness/run.ts";
import { type Outcome, toJson } from "../engine/harness/supervise.ts";
import { codeCells, codeColumns, codeGpus, codeHeaders, codeText } from "../engine/profile/code-cells.ts";
import type { MachineCode } from "../engine/profile/profile.ts";
import { type BindingRoof, bindingRoof } from "../engine/tune/binding-roof.ts";
import type { Roofs } from "../engine/tune/roofs.ts";
import { renderPage } from "../models/report/page.ts";
import { type Cell, formatSeconds, pairs, table } from "./terminal.ts";

/** One point of a sweep with what came of it. */
export interface Result {
  readonly point: Outcome["point"];
  readonly run?: KernelRun;
  readonly bound?: BindingRoof;
  /** Least possible time by the binding roof divided by the median time. */
  readonly shareOfRoof?: number;
  /** Why it failed, or how its result is wrong; undefined when all is well. */
  readonly problem?: string;
  /** By GPU, where it was asked for. */
  readonly machineCode?: readonly MachineCode[];
}

export interface Report {
  readonly file: string;
  readonly machine: string;
  /** Names of the swept constants. */
  readonly swept: readonly string[];
  readonly results: readonly Result[];
}

/** An outcome with its place below the roofs and its correctness in words. */
export function judged(outcome: Outcome, roofs: Roofs | undefined): Result {
  const { point } = outcome;
  if ("failure" in outcome) return { point, problem: outcome.failure };
  const { run } = outcome;
  const bound = roofs && bindingRoof({ flops: run.flops ?? 0, bytes: run.bytes }, roofs);
  const problem = problemOf(run);
  return {
    point,
    run,
    ...(bound && { bound, shareOfRoof: bound.leastMs / run.milliseconds.median }),
    ...(problem && { problem }),
  };
}

/** Why a kernel that ran is not right, a line each. */
function problemOf({ check, bounds, repeats }: KernelRun): string | undefined {
  const lines = (bounds?.outside ?? []).map(outsideText);
  if (check) {
    const out = check.operands["out"]!;
    const left = repeats.dependent[out];
    if (check.wrong > 0) lines.push(`${wrongText(check)}${left ? `; ${leftText(out, left)}` : ""}`);
    else if (left) lines.push(`wrong result: ${leftText(out, left)}`);
    else if (check.nans === check.elements)
      lines.push(`nothing was compared: ${check.operation} is NaN everywhere; other inputs (--fill) tell more`);
  }
  return lines.length > 0 ? lines.join("\n") : undefined;
}

function outsideText({ of, access, part, line, column, count, index, length }: OutOfBounds): string {
  const times = count === 1 ? "once" : `${count} times`;
  return `out of bounds: ${of} at line ${line}, column ${column}${part ? ` of ${part}` : ""} is ${access} at index ${index} of ${length} (${times}, this the least index)`;
}

function leftText(name: string, { count, elements, first }: Strays): string {
  return `${count} of ${elements} elements of ${name}, the first at [${first.join(", ")}], are not written or depend on what was there before (--fill ${name}=… makes it an input)`;
}

function wrongText({ wrong, elements, first, operation }: Check): string {
  const place = first!.index.join(", ");
  return `wrong result: ${wrong} of ${elements} elements; the first at [${place}] is ${figure(first!.found)}, ${operation} has ${figure(first!.expected)}`;
}

/** What a reader should know although it is no fault, a line each. */
function notesOf({ check, bounds, repeats }: KernelRun): string[] {
  const out = check?.operands["out"];
  const left = Object.entries(repeats.dependent).filter(([name]) => name !== out);
  const unsteady = Object.entries(repeats.unsteady);
  return [
    ...(bounds?.unchecked ? [`accesses out of bounds were not looked for: ${bounds.unchecked}`] : []),
    ...left.map(([name, strays]) => leftText(name, strays)),
    ...unsteady.map(
      ([name, { count, elements }]) =>
        `${count} of ${elements} elements of ${name} differ between two equal runs: they depend on the order of invocations`,
    ),
    ...(check && check.nans > 0 ? [`${check.operation} is NaN in ${check.nans} of ${check.elements} elements`] : []),
  ];
}

/** Nine digits, which tell f32 numbers apart. */
function figure(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(9))) : String(value);
}

/** The report of one run. */
export function runText({ file, machine, results }: Report): string {
  const { run, problem, bound, shareOfRoof, machineCode = [] } = results[0]!;
  if (!run) return `${file} failed\n${problem}`;
  const { milliseconds: ms, clock, buffers, workgroup, grid, check } = run;
  const rows: [string, string][] = [
    [
      "kernel",
      `${file}, ${run.entryPoint}, workgroup ${workgroup?.join(" x ") ?? "unknown"}, grid ${grid.join(" x ")}`,
    ],
    ...Object.entries(buffers).map(([name, { shape, type, writable }]): [string, string] => [
      `  ${name}`,
      `${type} [${shape.join(", ")}]${writable ? ", written" : ""}`,
    ]),
    ["result", check ? checkText(check) : "not compared; --reference OPERATION compares it with one of the engine's"],
    ...notesOf(run).map((note): [string, string] => ["note", note]),
    [
      "time",
      `${duration(ms.median)} median of ${ms.runs} runs, spread ${duration(ms.spread)}, ${duration(ms.least)} to ${duration(ms.most)}`,
    ],
    [
      "",
      clock.source === "timestamp"
        ? `by the adapter's timestamps in steps of ${clock.stepNanoseconds} ns`
        : "by the host's clock, submit and wait included",
    ],
    ["first dispatch", `${duration(run.firstDispatchMs)}, compilation included`],
    ...(run.gflops === null ? [] : [["arithmetic", `${run.gflops.toFixed(2)} GFLOP/s`] as [string, string]]),
    ["traffic", `${run.GBps.toFixed(2)} GB/s, ${run.bytes} bytes`],
  ];
  if (bound) {
    const unknown = run.flops === null ? "; its arithmetic is unknown, --flops tells it" : "";
    rows.push(["roof", `${percent(shareOfRoof)} of the roof of ${bound.roof}, which binds${unknown}`]);
  }
  for (const code of machineCode) rows.push([code.gpu, codeText(code)]);
  return `${problem ? `${problem}\n\n` : ""}${pairs(rows)}\n\n${machine}`;
}

function checkText({ operation, operands, absolute, relative, tolerance, wrong }: Check): string {
  const map = Object.entries(operands)
    .map(([operand, buffer]) => (operand === buffer ? operand : `${operand} = ${buffer}`))
    .join(", ");
  const verdict = wrong > 0 ? "WRONG" : "agrees with";
  return `${verdict} ${operation} (${map}): largest error ${absolute.toExponential(2)}, ${relative.toExponential(2)} of the largest element, allowed ${tolerance.toExponential(0)}`;
}

function percent(share: number | undefined): string {
  return share === undefined ? "" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

function duration(ms: number): string {
  return formatSeconds(ms / 1e3);
}

/** Right results first, the fastest first; then what failed. */
function byTime(results: readonly Result[]): Result[] {
  const rank = ({ problem, run }: Result) => (problem ? Number.POSITIVE_INFINITY : run!.milliseconds.median);
  return [...results].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
}

const sweepColumns = ["median ms", "spread ms", "GFLOP/s", "GB/s", "share of roof", "roof", "problem"] as const;

function sweepRow({ swept, results }: Report, result: Result, brief: boolean): Cell[] {
  const { point, run, bound, shareOfRoof, problem } = result;
  const text = brief ? problem?.split("\n")[0] : problem;
  return [
    ...swept.map((name) => String(point[name])),
    run?.milliseconds.median.toPrecision(4),
    run?.milliseconds.spread.toPrecision(2),
    run?.gflops?.toFixed(2),
    run?.GBps.toFixed(2),
    percent(shareOfRoof),
    bound?.roof,
    text ?? "",
    ...codeCells(result, codeGpus(results)),
  ];
}

/** The table of a sweep sorted by time, and its heat map. */
export function sweepText(report: Report): string {
  const { swept, results, machine } = report;
  const sorted = byTime(results);
  const text = table(
    [...swept, ...sweepColumns, ...codeHeaders(codeGpus(results))],
    sorted.map((result) => sweepRow(report, result, true)),
  );
  const failed = results.filter(({ problem }) => problem !== undefined).length;
  const map = swept.length > 1 ? `\n\n${heatText(report)}` : "";
  return `${text}${map}\n\n${results.length - failed} of ${results.length} points are right; ${machine}`;
}

/** Median times over two constants; of further ones the fastest. */
export interface Heat {
  readonly rows: { readonly name: string; readonly values: readonly string[] };
  readonly columns: { readonly name: string; readonly values: readonly string[] };
  /** By row, then column, ms; undefined where no point was right. */
  readonly cells: readonly (readonly (number | undefined)[])[];
}

/** Exported for tests. */
export function heatOf({ swept, results }: Report): Heat {
  const [rowName = "", columnName = ""] = swept;
  const valuesOf = (name: string) => [...new Set(results.map(({ point }) => String(point[name] ?? "")))];
  const [rows, columns] = [valuesOf(rowName), valuesOf(columnName)];
  const cells = rows.map((row) =>
    columns.map((column) => {
      const here = results.filter(
        ({ point, problem }) =>
          problem === undefined && String(point[rowName] ?? "") === row && String(point[columnName] ?? "") === column,
      );
      return here.length > 0 ? Math.min(...here.map(({ run }) => run!.milliseconds.median)) : undefined;
    }),
  );
  return { rows: { name: rowName, values: rows }, columns: { name: columnName, values: columns }, cells };
}

const shades = ["█", "▓", "▒", "░"] as const;

/** The heat map in letters: the fuller the block, the faster; times in ms. */
function heatText(report: Report): string {
  const { rows, columns, cells } = heatOf(report);
  const known = cells.flat().filter((ms) => ms !== undefined);
  if (known.length === 0) return "no point was right: no heat map";
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const shade = (ms: number) => {
    const share = most > least ? Math.log(ms / least) / Math.log(most / least) : 0;
    return shades[Math.min(shades.length - 1, Math.floor(share * shades.length))]!;
  };
  const cell = (ms: number | undefined) =>
    ms === undefined ? "  -" : `${shade(ms).repeat(2)} ${ms.toPrecision(3)}${ms === least ? " *" : ""}`;
  const body = rows.values.map((value, i) => [value, ...cells[i]!.map(cell)]);
  const others = report.swept.slice(2).join(", ");
  const note = `median ms by ${rows.name} (down) and ${columns.name} (across)${others && `, fastest over ${others}`}; * least`;
  return `${table([`${rows.name} \\ ${columns.name}`, ...columns.values], body)}\n${note}`;
}

/** The heat map as SVG. */
export async function svgOf(report: Report): Promise<string> {
  // The charting library takes longer to load than a kernel to run.
  const { heatMap } = await import("../models/report/heat-map.ts");
  const { rows, columns, cells } = heatOf(report);
  return heatMap({
    description: `Median time of ${report.file} in ms`,
    rows,
    columns,
    cells,
    format: (ms) => ms.toPrecision(3),
  });
}

/** One HTML document with heat map and table. */
export async function pageOf(report: Report): Promise<string> {
  const { file, machine, swept, results } = report;
  const others = swept.slice(2);
  const caption = `Median ms, logarithmic colours${others.length > 0 ? `; the fastest over ${others.join(", ")}` : ""}. Empty: no right result.`;
  return renderPage({
    title: `Sweep of ${file}`,
    summary: machine,
    sections: [
      {
        title: "Time",
        blocks: [
          { kind: "figure", svg: await svgOf(report), caption },
          {
            kind: "table",
            headers: [...swept, ...sweepColumns, ...codeHeaders(codeGpus(results))],
            rows: byTime(results).map((result) => sweepRow(report, result, false).map((cell) => cell as string)),
          },
        ],
      },
    ],
  });
}

/** Numbers that are not finite stand as words, such as "NaN". */
export function jsonOf(report: Report): string {
  return toJson({ ...report, results: byTime(report.results) }, 2);
}

/** A line for each point, the fastest right one first. */
export function csvOf({ swept, results }: Report): string {
  const columns = [
    ...swept,
    ...["median_ms", "spread_ms", "least_ms", "most_ms", "runs", "clock", "gflops", "GBps", "roof", "share_of_roof"],
    ...["absolute_error", "relative_error", "problem"],
  ];
  const gpus = codeGpus(results);
  const rows = byTime(results).map(({ point, run, bound, shareOfRoof, problem, machineCode = [] }) => {
    const { median, spread, least, most, runs } = run?.milliseconds ?? {};
    return [
      ...swept.map((name) => point[name]),
      ...[median, spread, least, most, runs, run?.clock.source, run?.gflops, run?.GBps, bound?.roof, shareOfRoof],
      ...[run?.check?.absolute, run?.check?.relative, problem],
      ...codeCells({ machineCode }, gpus),
    ];
  });
  return stringify([[...columns, ...Object.keys(codeColumns({}, gpus))], ...rows]);
}
