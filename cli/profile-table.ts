import { memorySummary } from "../engine/memory/report.ts";
import { codeCells, codeGpus, codeHeaders } from "../engine/profile/code-cells.ts";
import { chosen, type Selection } from "../engine/profile/csv.ts";
import { type KernelProfile, marks, type Profile } from "../engine/profile/profile.ts";
import { type Cell, formatBytes, table } from "./terminal.ts";

export interface TableOptions extends Selection {
  readonly top: number;
}

/** A profile for the terminal: kernels, totals, idle and host time, memory, tuning, and how far to trust it. */
export function profileText(profile: Profile, options: TableOptions): string {
  const rows = chosen(profile, options);
  const shown = rows.slice(0, options.top);
  const gpus = codeGpus(profile.kernels);
  const shownColumns = columnsOf(profile);
  const headers = [...shownColumns.map(([title]) => title), ...codeHeaders(gpus)];
  const parts = [
    table(
      headers,
      shown.map((row) => [...shownColumns.map(([, cell]) => cell(row)), ...codeCells(row, gpus)]),
    ),
    ...(rows.length > shown.length ? [`… and ${rows.length - shown.length} more (--top, --filter)`] : []),
    table(["", "ms", "%"], spanRows(profile)),
    ...groupings(profile).map((by) => totals(profile, by)),
    siteTotals(profile),
    hostText(profile),
    memoryText(profile),
    tuningText(profile),
    footer(profile),
  ];
  return parts.filter(Boolean).join("\n\n");
}

type Column = readonly [title: string, cell: (row: KernelProfile) => Cell];

/** The columns of a table of kernels; those of layers and phases only where something has one. */
function columnsOf({ kernels, sources }: Profile): Column[] {
  const layers: Column[] = [
    ["layer", ({ layer }) => layer],
    ["phase", ({ phase }) => phase],
  ];
  const scopes: Column[] = [["scope", ({ scope }) => scope]];
  return [
    ["op", ({ op }) => op],
    ...(hasLayers(kernels) ? layers : []),
    ...(kernels.some(({ scope }) => scope) ? scopes : []),
    ["kernel", ({ kernel }) => kernel],
    ["shape", (row) => mainShape(row, sources)],
    ["variant", ({ variant, halves }) => variant + (halves.length > 0 ? " f16" : "")],
    ["grid", ({ grid }) => grid.join("x")],
    ["calls", ({ calls, coldCalls }) => (coldCalls > 0 ? `${calls} (${coldCalls} cold)` : calls)],
    ["median ms", ({ milliseconds }) => figure(milliseconds.median)],
    ["±", ({ milliseconds }) => figure(milliseconds.spread)],
    ["%", ({ share }) => percent(share)],
    ["GFLOP/s", ({ gflops }) => (gflops === null ? "" : figure(gflops))],
    ["GB/s", ({ GBps }) => figure(GBps)],
    ["roof", ({ roof }) => (roof ? percent(roof.share) : "")],
    ["binds", ({ roof }) => roof?.binds],
    ["FLOP/B", ({ intensity }) => (intensity === null ? "" : figure(intensity))],
    ["wg B", (row) => row.workgroupBytes || ""],
  ];
}

function hasLayers(kernels: readonly KernelProfile[]): boolean {
  return kernels.length === 0 || kernels.some(({ layer, phase }) => layer !== "" || phase !== "other");
}

function groupings({ kernels }: Profile): ("phase" | "op" | "layer" | "scope")[] {
  const scopes = kernels.some(({ scope }) => scope) ? (["scope"] as const) : [];
  return [...(hasLayers(kernels) ? (["phase", "op", "layer"] as const) : (["op"] as const)), ...scopes];
}

/** The first argument, and the first that is written. */
function mainShape({ shapes, source }: KernelProfile, sources: Profile["sources"]): string {
  const text = (name: string | undefined) => shapes[name ?? ""]?.replace(/ f32$/, "").replaceAll(", ", "x");
  const uniforms = [...(sources[source] ?? "").matchAll(/var<uniform>\s*(\w+)/g)].map(([, name]) => name);
  const names = Object.keys(shapes);
  const input = names.find((name) => !uniforms.includes(name)) ?? names[0];
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
    ...(span.rawDispatches ? [["dispatches by raw WebGPU calls, which are not timed", span.rawDispatches, ""]] : []),
  ];
}

function totals({ kernels }: Profile, by: "op" | "layer" | "phase" | "scope"): string {
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

const mostSites = 8;

/** Places of a program that recorded most; the time of a kernel goes to its places by their calls. */
function siteTotals({ kernels, span }: Profile): string {
  const sums = new Map<string, { calls: number; ms: number }>();
  for (const { stacks = [], calls, milliseconds } of kernels) {
    for (const stack of stacks) {
      const name = stack.frames[0] ?? "(unknown)";
      const sum = sums.get(name) ?? { calls: 0, ms: 0 };
      sum.calls += stack.calls;
      sum.ms += (milliseconds.total * stack.calls) / calls;
      sums.set(name, sum);
    }
  }
  if (sums.size === 0) return "";
  const rows = [...sums]
    .sort(([, a], [, b]) => b.ms - a.ms)
    .slice(0, mostSites)
    .map(([name, { calls, ms }]) => [name, calls, figure(ms), span.busyMs > 0 ? percent(ms / span.busyMs) : ""]);
  const rest = sums.size > mostSites ? `\n… and ${sums.size - mostSites} more` : "";
  return table(["by place", "calls", "ms", "%"], rows) + rest;
}

const mostHostCalls = 10;

/** What a program's calls of WebGPU took the host. */
function hostText({ hostCalls = [] }: Profile): string {
  if (hostCalls.length === 0) return "";
  const rows = hostCalls
    .slice(0, mostHostCalls)
    .map(({ call, calls, milliseconds, bytes }) => [
      call,
      calls,
      figure(milliseconds),
      bytes > 0 ? formatBytes(bytes) : "",
    ]);
  const rest = hostCalls.length > mostHostCalls ? `\n… and ${hostCalls.length - mostHostCalls} more` : "";
  return table(["WebGPU calls", "calls", "host ms", "moved"], rows) + rest;
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
  const step =
    clock.source === "wall"
      ? "the host's clock"
      : `timestamps in steps of ${clock.stepNanoseconds} ns${alignmentText(clock.alignment)}`;
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

function alignmentText(alignment: Profile["clock"]["alignment"]): string {
  if (!alignment) return "";
  const { uncertaintyMs, driftMs } = alignment;
  const drift = driftMs === 0 ? "" : `, ${(1e3 * driftMs).toFixed(1)} µs apart at the end`;
  return `, laid on the host's to ± ${(1e3 * uncertaintyMs).toFixed(1)} µs${drift}`;
}

function percent(share: number): string {
  return share > 0 && share < 0.0995 ? `${(100 * share).toFixed(1)} %` : `${(100 * share).toFixed(0)} %`;
}

/** Three digits, more only before the point. */
function figure(value: number): string {
  if (value === 0) return "0";
  return value >= 100 ? value.toFixed(0) : value >= 0.01 ? value.toPrecision(3) : value.toFixed(4);
}
