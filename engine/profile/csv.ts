import { stringify } from "csv-stringify/sync";
import { codeColumns, codeGpus } from "./code-cells.ts";
import type { KernelProfile, Profile } from "./profile.ts";

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

/** Which kernels, in which order. */
export interface Selection {
  /** The figure that orders them, the largest first; the summed time unless given. */
  readonly sort?: keyof typeof orders;
  /** Text that op, kernel, layer, phase, scope, variant or shapes must have. */
  readonly filter?: string;
}

/** The kernels asked for, in the order asked for. */
export function chosen({ kernels }: Profile, { sort = "total", filter }: Selection): KernelProfile[] {
  const text = filter?.toLowerCase();
  const searched = (row: KernelProfile) =>
    [row.op, row.kernel, row.phase, row.layer, row.scope, row.variant, ...Object.values(row.shapes)]
      .join(" ")
      .toLowerCase();
  const rows = text ? kernels.filter((row) => searched(row).includes(text)) : kernels;
  return rows.toSorted((a, b) => orders[sort](b) - orders[sort](a));
}

/** One row a kernel, with a header. */
export function profileCsv(profile: Profile, options: Selection = {}): string {
  const gpus = codeGpus(profile.kernels);
  const rows = chosen(profile, options).map((row) => ({
    id: row.id,
    op: row.op,
    layer: row.layer,
    phase: row.phase,
    scope: row.scope,
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
