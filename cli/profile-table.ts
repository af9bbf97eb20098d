import { stringify } from "csv-stringify/sync";
import { memorySummary } from "../engine/memory/report.ts";
import { type KernelProfile, marks, type Profile } from "../engine/profile/profile.ts";
import { codeCells, codeColumns, codeGpus, codeHeaders } from "./machine-code.ts";
import { type Cell, table } from "./terminal.ts";

/** What kernels can be ordered by, the largest first. */
export const orders = {
  total: (row: KernelProfile) => row.milliseconds.total,
  median: (row: KernelProfile) => row.milliseconds.median,
  calls: (row: KernelProfile) => row.calls,
  gflops: (row: KernelProfile) => row.gflops ?? -1,
  GBps: (row: KernelProfile) => row.GBps,
  roof: (row: KernelProfile) => row.roof?.share ?? -1,
  intensity: (row: KernelProfile) => row.intensity ?? -1,
} as const;

export interface TableOptions {
  readonly sort: keyof typeof orders;
  readonly filter?: string;
  readonly top: number;
}

/** The kernels asked for, in the order asked for. */
function chosen({ kernels }: Profile, { sort, filter }: Pick<TableOptions, "sort" | "filter">): KernelProfile[] {
  const text = filter?.toLowerCase();
  const searched = (row: KernelProfile) =>
    [row.op, row.kernel, row.phase, row.layer, row.variant, ...Object.values(row.shapes)].join(" ").toLowerCase();
  const rows = text ? kernels.filter((row) => searched(row).includes(text)) : kernels;
  return rows.toSorted((a, b) => orders[sort](b) - orders[sort](a));
}

/** A profile for the terminal: kernels, totals, idle and host time, memory, tuning, and how far to trust it. */
export function profileText(profile: Profile, options: TableOptions): string {
  const rows = chosen(profile, options);
  const shown = rows.slice(0, options.top);
  const gpus = codeGpus(profile.kernels);
  const headers = [
    "op",
    "layer",
    "phase",
    "kernel",
    "shape",
    "variant",
    "grid",
    "calls",
    "median ms",
    "±",
    "%",
    "GFLOP/s",
    "GB/s",
    "roof",
    "binds",
    "FLOP/B",
    "wg B",
    ...codeHeaders(gpus),
  ];
  const parts = [
    table(
      headers,
      shown.map((row) => [...cells(row, profile.sources), ...codeCells(row, gpus)]),
    ),
    ...(rows.length > shown.length ? [`… and ${rows.length - shown.length} more (--top, --filter)`] : []),
    table(["", "ms", "%"], spanRows(profile)),
    ...(["phase", "op", "layer"] as const).map((by) => totals(profile, by)),
    memoryText(profile),
    tuningText(profile),
    footer(profile),
  ];
  return parts.filter(Boolean).join("\n\n");
}

function cells(row: KernelProfile, sources: Profile["sources"]): Cell[] {
  const { milliseconds, roof, coldCalls, calls } = row;
  return [
    row.op,
    row.layer,
    row.phase,
    row.kernel,
    mainShape(row, sources),
    row.variant + (row.halves.length > 0 ? " f16" : ""),
    row.grid.join("x"),
    coldCalls > 0 ? `${calls} (${coldCalls} cold)` : calls,
    figure(milliseconds.median),
    figure(milliseconds.spread),
    percent(row.share),
    row.gflops === null ? "" : figure(row.gflops),
    figure(row.GBps),
    roof ? percent(roof.share) : "",
    roof?.binds,
    row.intensity === null ? "" : figure(row.intensity),
    row.workgroupBytes || "",
  ];
}

/** The first argument, and the first that is written. */
function mainShape({ shapes, source }: KernelProfile, sources: Profile["sources"]): string {
  const text = (name: string | undefined) => shapes[name ?? ""]?.replace(/ f32$/, "").replaceAll(", ", "x");
  const [input] = Object.keys(shapes);
  const written = [...(sources[source] ?? "").matchAll(/var<storage\s*,\s*read_write\s*>\s*(\w+)/g)].map(
    ([, name]) => name,
  );
  const output = written.find((name) => name !== input);
  return output ? `${text(input)} → ${text(output)}` : (text(input) ?? "");
}

function spanRows({ span, overhead }: Profile): Cell[][] {
  const share = (ms: number) => (span.gpuMs > 0 ? percent(ms / span.gpuMs) : "");
  return [
    [
      `adapter busy: ${span.dispatches} dispatches and transfers in ${span.submits} submits`,
      figure(span.busyMs),
      share(span.busyMs),
    ],
    ["adapter idle, from the first to the last of them", figure(span.idleMs), share(span.idleMs)],
    ["adapter, all", figure(span.gpuMs), share(span.gpuMs)],
    ["host: recording and encoding", figure(span.hostEncodeMs), ""],
    ["host: the profiler itself", figure(overhead.hostMs), ""],
    ["wall time until all was done", figure(span.wallMs), ""],
  ];
}

function totals({ kernels }: Profile, by: "op" | "layer" | "phase"): string {
  const sums = new Map<string, { ms: number; share: number; calls: number; flops: number }>();
  for (const row of kernels) {
    const name = row[by] || "(none)";
    const sum = sums.get(name) ?? { ms: 0, share: 0, calls: 0, flops: 0 };
    sum.ms += row.milliseconds.total;
    sum.share += row.share;
    sum.calls += row.calls;
    sum.flops += (row.flops ?? 0) * row.calls;
    sums.set(name, sum);
  }
  const sorted = [...sums].sort(([, a], [, b]) => b.ms - a.ms);
  const rows = sorted
    .slice(0, 12)
    .map(([name, { ms, share, calls, flops }]) => [
      name,
      calls,
      figure(ms),
      percent(share),
      flops > 0 && ms > 0 ? figure(flops / ms / 1e6) : "",
    ]);
  const rest = sorted.length > 12 ? `\n… and ${sorted.length - 12} more` : "";
  return table([`by ${by}`, "calls", "ms", "%", "GFLOP/s"], rows) + rest;
}

function memoryText({ memory }: Profile): string {
  const owners = memory.owners.map((owner) => ({ ...owner, bytes: 0, buffers: 0, mostBytes: owner.atPeakBytes }));
  const report = { heldBytes: 0, peakBytes: memory.peakBytes, limitBytes: undefined, owners };
  return `device memory at its peak: ${memorySummary(report, 8)}`;
}

/** What the tuner timed, losers too. */
function tuningText({ tunings }: Profile): string {
  if (tunings.length === 0) return "";
  const rows = tunings.flatMap(({ key, chosen, times }) =>
    times.map(({ way, milliseconds, spread }, i) => [
      i === 0 ? key : "",
      way,
      milliseconds.toPrecision(3),
      percent(spread),
      way === chosen ? "chosen" : "",
    ]),
  );
  return table(["tuned", "way", "ms", "± of it", ""], rows);
}

function footer({ machine, clock, marks: found, overhead, roofs, command, measuredAt }: Profile): string {
  const { microsecondsPerDispatch: cost } = overhead;
  const step = clock.source === "wall" ? "the host's clock" : `timestamps in steps of ${clock.stepNanoseconds} ns`;
  return [
    `${command}; ${machine.description || machine.vendor}, ${machine.provider}, ${machine.runtime}; ${measuredAt}`,
    `clock: ${step}${cost === null ? "" : `; a pass of its own adds ${cost.toFixed(1)} µs to a dispatch`}`,
    roofs
      ? `roofs: ${figure(roofs.fmaGflops.most)} GFLOP/s, ${figure(Math.max(...roofs.copyGBps.map(({ rate }) => rate.most)))} GB/s in cache (acutance bench roofs)`
      : "",
    ...found.map((mark) => `note: ${marks[mark]}`),
  ]
    .filter(Boolean)
    .join("\n");
}

/** One row a kernel, with a header. */
export function profileCsv(profile: Profile, options: Pick<TableOptions, "sort" | "filter">): string {
  const gpus = codeGpus(profile.kernels);
  const rows = chosen(profile, options).map((row) => ({
    id: row.id,
    op: row.op,
    layer: row.layer,
    phase: row.phase,
    kernel: row.kernel,
    shapes: Object.entries(row.shapes)
      .map(([name, shape]) => `${name} ${shape}`)
      .join("; "),
    variant: row.variant,
    constants: JSON.stringify(row.constants),
    halves: row.halves.join(" "),
    workgroup: row.workgroup.join("x"),
    grid: row.grid.join("x"),
    workgroup_bytes: row.workgroupBytes,
    calls: row.calls,
    cold_calls: row.coldCalls,
    total_ms: row.milliseconds.total,
    median_ms: row.milliseconds.median,
    least_ms: row.milliseconds.least,
    most_ms: row.milliseconds.most,
    spread_ms: row.milliseconds.spread,
    share: row.share,
    flops: row.flops,
    bytes: row.bytes,
    gflops: row.gflops,
    GBps: row.GBps,
    flops_per_byte: row.intensity,
    roof: row.roof?.binds,
    roof_share: row.roof?.share,
    ...codeColumns(row, gpus),
  }));
  return stringify(rows, { header: true });
}

function percent(share: number): string {
  return share > 0 && share < 0.0995 ? `${(100 * share).toFixed(1)} %` : `${(100 * share).toFixed(0)} %`;
}

/** Three digits, more only before the point. */
function figure(value: number): string {
  if (value === 0) return "0";
  return value >= 100 ? value.toFixed(0) : value >= 0.01 ? value.toPrecision(3) : value.toFixed(4);
}
