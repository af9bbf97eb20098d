import { cpus } from "node:os";
import type { Command } from "commander";
import type { Device } from "../engine/device/device.ts";
import type { Measured } from "../engine/tune/measured.ts";
import { type Roofs, roofsOf } from "../engine/tune/roofs.ts";
import { openCommandDevice } from "./device.ts";
import { type Cell, formatBytes, type Progress, progress, table } from "./terminal.ts";

interface RoofsFlags {
  readonly json?: boolean;
  readonly remeasure?: boolean;
}

/** Adds `roofs` to the command `bench`. */
export function registerRoofs(bench: Command): void {
  bench
    .command("roofs")
    .description("measure what this adapter can do at most: arithmetic, bandwidth, dispatches, transfers")
    .option("--remeasure", "measure again although there are figures of this adapter and driver from before")
    .option("--json", "print one JSON document")
    .configureHelp({ showGlobalOptions: false })
    .action(run);
}

/** The roofs of a command's device, cached or measured with a progress bar; notes go to stderr. */
export async function commandRoofs(device: Device, remeasure = false): Promise<Roofs> {
  let bar: Progress | undefined;
  try {
    return await roofsOf(device, {
      remeasure,
      onNote: (note) => console.error(`note: ${note}`),
      progress: (done, total, next) => {
        bar ??= progress("measuring roofs", total);
        bar.advance(done > 0 ? 1 : 0, next ?? "");
      },
    });
  } finally {
    bar?.stop();
  }
}

/** Adapter and host in one line. */
export function machineText({ info, subgroupSize }: Device): string {
  const processors = cpus();
  return `${info.description || info.vendor}, ${processors[0]?.model.trim()} (${processors.length} cores), subgroups of ${subgroupSize || "unknown size"}`;
}

async function run({ json, remeasure }: RoofsFlags): Promise<void> {
  using device = await openCommandDevice();
  const roofs = await commandRoofs(device, remeasure);
  const machine = machineText(device);
  console.log(json ? JSON.stringify({ machine, roofs }, null, 2) : roofsText(roofs, machine));
}

/** The roofs as a table with what they were measured by. Exported for tests. */
export function roofsText(roofs: Roofs, machine: string): string {
  const rows = [
    row("multiply-adds, f32", roofs.fmaGflops, "GFLOP/s"),
    ...(roofs.f16FmaGflops ? [row("multiply-adds, f16", roofs.f16FmaGflops, "GFLOP/s")] : []),
    row("multiply-adds, i32", roofs.integerGops, "GOP/s"),
    ...roofs.copyGBps.map(({ bytes, rate }) => row(`copy in ${formatBytes(bytes)} (read + write)`, rate, "GB/s")),
    ...roofs.readGBps.map(({ bytes, rate }) => row(`read of ${formatBytes(bytes)}`, rate, "GB/s")),
    row("workgroup memory, read", roofs.workgroupGBps, "GB/s"),
    row("buffer to buffer (read + write)", roofs.bufferCopyGBps, "GB/s"),
    row("upload", roofs.uploadGBps, "GB/s"),
    row("dispatch in a pass", roofs.dispatchMicroseconds, "µs"),
    row("recording a dispatch", roofs.encodeMicroseconds, "µs"),
    row("pass of one dispatch", roofs.passMicroseconds, "µs"),
    row("submit of one pass", roofs.submitMicroseconds, "µs"),
    row("read-back of 4 bytes", roofs.readbackMicroseconds, "µs"),
  ];
  return `${table(["roof", "median", "range", "unit", ""], rows)}\n\n${machine}\n${clockText(roofs)}; measured ${roofs.measuredAt}`;
}

function row(name: string, { median, least, most, note }: Measured, unit: string): Cell[] {
  return [name, figure(median), `${figure(least)}-${figure(most)}`, unit, note];
}

/** Three digits, more only before the point. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function clockText({ clock }: Roofs): string {
  if (clock.source === "wall") return "kernels timed by the host's clock, submit and wait included";
  const step = `timestamps in steps of ${clock.stepNanoseconds} ns`;
  // What the specification has browsers do, and Dawn unless told otherwise.
  return clock.stepNanoseconds >= 10_000
    ? `kernels timed by the adapter's ${step}: the provider quantises them`
    : `kernels timed by the adapter's ${step}`;
}
