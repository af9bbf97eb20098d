import { simdsTogether, type Target } from "./targets.ts";

export type WaveLimit = "registers" | "workgroup memory" | "workgroup size" | "wave slots";

/** What a compiled kernel takes of a GPU. */
export interface Needs {
  /** Lanes of a wave. */
  readonly wave: number;
  readonly vectorRegisters: number;
  readonly scalarRegisters: number;
  readonly workgroupBytes: number;
  /** Invocations of a workgroup. */
  readonly invocations: number;
}

export interface Occupancy {
  /** Waves of a SIMD at the same time, 1 at least. */
  readonly waves: number;
  /** What allows no more. */
  readonly limit: WaveLimit;
  /** Waves by each limit alone. */
  readonly bounds: Readonly<Record<WaveLimit, number>>;
}

/** Workgroups of several waves that run at once on the SIMDs that share workgroup memory. */
const mostWorkgroups = { GCN: 16, RDNA: 32 } as const;
const kibibyte = 1024;

/**
 * Waves that fit on a SIMD at the same time: by slots, by registers, by workgroup memory, and because workgroups come whole.
 * A wave of 64 lanes takes two registers of 32 lanes for each of its own.
 */
export function occupancyOf(target: Target, needs: Needs): Occupancy {
  const isGcn = target.architecture === "GCN";
  const perWorkgroup = Math.ceil(needs.invocations / needs.wave);
  const slots = target.waveSlots;
  const registers = Math.min(slots, wavesByRegisters(target, needs));
  const shared = (isGcn ? 64 : 128) * kibibyte;
  const granule = target.architecture === "GCN" ? 512 : 1024;
  const taken = Math.ceil(needs.workgroupBytes / granule) * granule;
  const byMemory = taken > 0 ? Math.floor(shared / taken) : Number.POSITIVE_INFINITY;
  const waves = (workgroups: number) => Math.min(slots, Math.ceil((workgroups * perWorkgroup) / simdsTogether));
  const whole = Math.floor((registers * simdsTogether) / perWorkgroup);
  const most = perWorkgroup > 1 ? mostWorkgroups[isGcn ? "GCN" : "RDNA"] : Number.POSITIVE_INFINITY;
  const bounds = {
    registers,
    "workgroup memory": waves(byMemory),
    "workgroup size": Math.max(1, waves(Math.max(1, Math.min(whole, most)))),
    "wave slots": slots,
  };
  const order: readonly WaveLimit[] = ["wave slots", "registers", "workgroup memory", "workgroup size"];
  // Of equal bounds the first: whole workgroups are a limit only where they take something from what registers allow.
  const limit = order.reduce((least, next) => (bounds[next] < bounds[least] ? next : least));
  return { waves: Math.max(1, bounds[limit]), limit, bounds };
}

/** Waves whose registers fit, more than a SIMD has slots for perhaps. Exported for tests. */
export function wavesByRegisters(target: Target, { wave, vectorRegisters, scalarRegisters }: Needs): number {
  const share = 64 / wave;
  const granule = target.registerGranule * share;
  const vector = Math.max(granule, Math.ceil(vectorRegisters / granule) * granule);
  const byVector = Math.floor((target.vectorRegisters * share) / vector);
  if (target.scalarRegisters === undefined) return byVector;
  const scalarGranule = target.scalarRegisters === 512 ? 8 : 16;
  const scalar = Math.max(scalarGranule, Math.ceil(scalarRegisters / scalarGranule) * scalarGranule);
  return Math.min(byVector, Math.floor(target.scalarRegisters / scalar));
}
