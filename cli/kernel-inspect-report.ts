import type { Inspection, InspectOutcome } from "../engine/inspect/inspect.ts";
import { targets } from "../engine/inspect/targets.ts";
import type { Cell } from "./terminal.ts";
import { table } from "./terminal.ts";

export interface InspectResult {
  /** Values of swept constants. */
  readonly point: Readonly<Record<string, unknown>>;
  readonly wgsl: string;
  readonly outcomes: readonly InspectOutcome[];
}

export interface InspectReport {
  readonly kernel: string;
  /** Names of the swept constants. */
  readonly swept: readonly string[];
  readonly results: readonly InspectResult[];
}

/** What estimates are, below each table. */
const warning = "Estimates are the compiler's, in cycles, and no measurement: they compare kernels on one GPU.";

/** Figures of a kernel by GPU, or the points of a sweep by estimate. */
export function inspectText(report: InspectReport): string {
  const headers = report.swept.length > 0 ? sweepHeaders(report) : undefined;
  if (headers) {
    const { rows, problems } = sweepRows(report);
    return [`${report.kernel}, the least estimate first`, table(headers, rows), ...problems, warning].join("\n\n");
  }
  const [{ outcomes }] = report.results as [InspectResult];
  const found = inspectionsOf(outcomes);
  const problems = failuresOf(outcomes);
  if (found.length === 0) return [`${report.kernel} was compiled for none`, ...problems].join("\n\n");
  const rows = figureRows(found);
  const widths = found.map((_, column) => Math.max(...rows.map(([, ...cells]) => cells[column]!.length)));
  const aligned = rows.map(([name, ...cells]) => [name, ...cells.map((cell, i) => cell.padStart(widths[i]!))]);
  const [head, ...body] = aligned as [string[], ...string[][]];
  return [table(head, body), ...problems, warning].join("\n\n");
}

export function inspectionsOf(outcomes: readonly InspectOutcome[]): Inspection[] {
  return outcomes.flatMap((outcome) => ("inspection" in outcome ? [outcome.inspection] : []));
}

/** Why there is nothing of some GPUs, one text a reason. */
export function failuresOf(outcomes: readonly InspectOutcome[]): string[] {
  const gpus = new Map<string, string[]>();
  for (const outcome of outcomes) {
    if (!("failure" in outcome)) continue;
    gpus.set(outcome.failure, [...(gpus.get(outcome.failure) ?? []), outcome.gpu]);
  }
  return [...gpus].map(([failure, names]) =>
    names.length === outcomes.length ? failure : `${names.join(", ")}: ${failure}`,
  );
}

/** One row a figure, one column a GPU; the first row has their names. */
export function figureRows(found: readonly Inspection[]): string[][] {
  const row = (name: string, value: (inspection: Inspection) => Cell) => [
    name,
    ...found.map((inspection) => String(value(inspection) ?? "-")),
  ];
  const count = (name: string, of: (code: NonNullable<Inspection["code"]>) => number) =>
    row(name, ({ code }) => code && of(code));
  return [
    row("", ({ gpu }) => gpu),
    row("architecture", ({ gpu }) => targets.find(({ name }) => name === gpu)?.architecture),
    row("lanes of a wave", ({ wave }) => wave),
    row("workgroup", ({ workgroup }) => workgroup.join("x")),
    row("vector registers", ({ vectorRegisters }) => vectorRegisters),
    row("scalar registers", ({ scalarRegisters }) => scalarRegisters),
    row("spills, vector + scalar", spills),
    row("scratch bytes of a wave", ({ scratchBytes }) => scratchBytes),
    row("workgroup memory, bytes", ({ workgroupBytes }) => workgroupBytes),
    row("waves of a SIMD", ({ occupancy }) => occupancy?.waves),
    row("  limited by", ({ occupancy }) => occupancy?.limit),
    row("code bytes", ({ codeBytes }) => codeBytes),
    row("instructions", ({ code, statistics }) => code?.counts.all ?? statistics["Instructions"]),
    count("  multiply-add", ({ counts }) => counts.multiplyAdd),
    count("  other vector", ({ counts }) => counts.vector),
    count("  of both, dual issue", ({ counts }) => counts.dualIssue),
    count("  scalar", ({ counts }) => counts.scalar),
    count("  global memory", ({ counts }) => counts.globalMemory),
    count("  scalar loads", ({ counts }) => counts.scalarMemory),
    count("  workgroup memory", ({ counts }) => counts.workgroupMemory),
    count("  branches", ({ counts }) => counts.branch),
    count("  waits and hints", ({ counts }) => counts.wait),
    row("hottest loop", ({ hottestLoop }) => (hottestLoop ? hottestLoop.label : "none")),
    row("  instructions", ({ hottestLoop }) => hottestLoop?.counts.all),
    row("  multiply-adds of vector", ({ hottestLoop }) => hottestLoop && percent(hottestLoop.multiplyAddShare)),
    row("  global B / multiply-add", ({ hottestLoop }) => bytes(hottestLoop?.globalBytesPerMultiplyAdd)),
    row("  workgroup B / mult.-add", ({ hottestLoop }) => bytes(hottestLoop?.workgroupBytesPerMultiplyAdd)),
    row("  waits and hints", ({ hottestLoop }) => hottestLoop?.counts.wait),
    row("estimated latency", ({ estimates }) => estimates.latency),
    row("estimated cycles of a wave", ({ estimates }) => estimates.inverseThroughput),
    row("  for 1000 multiply-adds", ({ estimates }) => estimates.cyclesPerThousand?.toPrecision(3)),
  ];
}

/** Of vector and of scalar registers. */
export function spills({ spilledVectorRegisters: vector, spilledScalarRegisters: scalar }: Inspection): string {
  return vector === null && scalar === null ? "-" : `${vector ?? "?"} + ${scalar ?? "?"}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function bytes(value: number | null | undefined): string | undefined {
  return value === null || value === undefined ? undefined : value === 0 ? "0" : value.toPrecision(3);
}

export function sweepHeaders({ swept }: InspectReport): string[] {
  return [
    ...swept,
    ...["GPU", "wave", "vector regs", "spills", "workgroup B", "waves", "limited by", "loop: mult.-adds", "dual issue"],
    ...["estimated cycles of a wave", "for 1000 mult.-adds"],
  ];
}

/** Points by GPU and estimate: cycles for as many multiply-adds, or of a wave where a kernel has none. */
export function sweepRows({ swept, results }: InspectReport): { rows: Cell[][]; problems: string[] } {
  const entries = results.flatMap(({ point, outcomes }) => inspectionsOf(outcomes).map((found) => ({ point, found })));
  const byProducts = entries.every(({ found }) => found.estimates.cyclesPerThousand !== null);
  const estimate = ({ estimates, wave }: Inspection) =>
    (byProducts ? estimates.cyclesPerThousand : (estimates.inverseThroughput ?? Number.POSITIVE_INFINITY) / wave)!;
  const gpus = [...new Set(entries.map(({ found }) => found.gpu))];
  const sorted = entries.toSorted(
    (a, b) => gpus.indexOf(a.found.gpu) - gpus.indexOf(b.found.gpu) || estimate(a.found) - estimate(b.found),
  );
  const rows = sorted.map(({ point, found }): Cell[] => [
    ...swept.map((name) => String(point[name])),
    ...[found.gpu, found.wave, found.vectorRegisters, spills(found), found.workgroupBytes],
    ...[found.occupancy?.waves, found.occupancy?.limit],
    found.hottestLoop ? percent(found.hottestLoop.multiplyAddShare) : "",
    ...[found.code?.counts.dualIssue, found.estimates.inverseThroughput],
    found.estimates.cyclesPerThousand?.toPrecision(4),
  ]);
  const problems = results.flatMap(({ point, outcomes }) =>
    failuresOf(outcomes).map((failure) => `${swept.map((name) => `${name}=${point[name]}`).join(" ")}: ${failure}`),
  );
  return { rows, problems };
}

/** Assembly by GPU; lines of the hottest loop begin with "|". */
export function assemblyText({ kernel, results }: InspectReport): string {
  return inspectionsOf(results[0]!.outcomes)
    .map(({ gpu, wave, assembly, hottestLoop }) => {
      const loop = new Set(hottestLoop?.lines);
      const lines = assembly.trimEnd().split("\n");
      const body = lines.map((line, i) => `${loop.has(i) ? "|" : " "} ${line.replaceAll("\t", "  ")}`.trimEnd());
      const about = hottestLoop ? `| the hottest loop, from ${hottestLoop.label}` : "no loop";
      return `${kernel} for ${gpu}, waves of ${wave}; ${about}\n${body.join("\n")}`;
    })
    .join("\n\n");
}

export function inspectJson({ kernel, swept, results }: InspectReport): string {
  return JSON.stringify({ kernel, swept, results }, null, 2);
}
