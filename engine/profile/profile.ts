import { z } from "zod";
import { roofsSchema } from "../tune/roofs.ts";
import { phases } from "./labels.ts";

/** Reasons to read the figures with care. */
export const marks = {
  "wall-clock":
    "the adapter has no timestamps that work: every dispatch was submitted alone and timed by the host's clock",
  "quantised-clock": "timestamps come in coarse steps: single short dispatches are uncertain, sums over many less so",
  "software-adapter": "the adapter is software: shares of a roof say little about a GPU",
  robustness: "Dawn's bounds checks are on",
  validation: "a validation layer or Dawn's API validation is on",
  "cold-pipeline": "some kernels were compiled while they were timed; their first calls are left out of medians",
  "tuning-in-progress": "kernels were still being chosen: the variants may change in a next run",
  "estimated-roofs": "the roofs were not measured on this adapter in an idle state",
  "raw-dispatches":
    "commands were recorded by raw WebGPU calls, of which the engine's profile counts the dispatches only",
  "bound-bytes": "bytes are those of all that is bound to a dispatch, which may read less of it or more",
  "whole-passes": "passes were timed as wholes: several dispatches share a row",
  "untimed-work": "the program ended before the adapter had told all times: the last dispatches are missing",
  "busy-machine":
    "others used the machine's processors meanwhile: times of then are left out of medians where there are others",
  throttled: "processors ran slower meanwhile: times of then are left out of medians where there are others",
  slowing: "kernels became slower from the first third of the time to the last: the adapter may be throttling",
  "cold-cache": "before each dispatch the adapter's caches were filled with something else",
  "several-runs": "the figures of kernels are those of several runs, the times of single dispatches those of the first",
  "program-failed": "the program failed: this is what it did until then",
} as const;
export type Mark = keyof typeof marks;

const count = z.number().int().min(0);
const amount = z.number().min(0);

/** Times of the calls of one kernel in ms. Cold and tainted calls are in `total` and `calls` only, unless there are no others. */
const timesSchema = z.strictObject({
  total: amount,
  median: amount,
  least: amount,
  most: amount,
  /** Half the distance between the 16th and the 84th percentile. */
  spread: amount,
});

/** What the compiler of a GPU makes of a kernel; null where its driver does not tell. */
const machineCodeSchema = z.strictObject({
  gpu: z.string(),
  /** Lanes of a wave. */
  wave: count,
  vectorRegisters: count.nullable(),
  scalarRegisters: count.nullable(),
  spilledVectorRegisters: count.nullable(),
  spilledScalarRegisters: count.nullable(),
  /** Of a SIMD at the same time, and what allows no more. */
  waves: count.nullable(),
  limit: z.string().nullable(),
  /** Its assembly by hash into `assemblies`, and the lines of the hottest loop in it, from 0. */
  assembly: z.string().optional(),
  hotLines: z.array(count).optional(),
});
export type MachineCode = z.infer<typeof machineCodeSchema>;

export const kernelSchema = z.strictObject({
  /** Identity across runs: kernel, op, phase, layer, shapes, variant, constants, halves and operations, hashed. */
  id: z.string(),
  /**
   * Path below `shaders/` without `.wgsl`; "copy", "clear" or "read-back" for a transfer, which has neither grid nor source.
   * Of a program's own kernels the label of the pipeline or of its module, else the entry point.
   */
  kernel: z.string(),
  /** Operation that recorded it, `conv2d` say; the kernel's name where none did. */
  op: z.string(),
  /** Path of the layer by its named tensors, `layer1.0.conv1`; "after …" the layer it follows; empty where none is known. */
  layer: z.string(),
  phase: z.enum(phases),
  /** Of a program's kernel: its entry point; empty for what is none, such as a render pass. The engine's are `main`. */
  entryPoint: z.string().optional(),
  /** Names given to the work around it by `mark`, and debug groups, the outer first: `a/b`. */
  scope: z.string().optional(),
  /** Where a program recorded it: frames of the call stack, the innermost first, with the calls from there. */
  stacks: z.array(z.strictObject({ calls: count, frames: z.array(z.string()) })).optional(),
  /** Shapes of the arguments by the kernel's own names, e.g. `x [8, 56, 56, 64] f32`; elements in a row where only a buffer is known. */
  shapes: z.record(z.string(), z.string()),
  /** Form of the kernel among its fellows, such as `8x4 subgroup`; empty where there is one only. */
  variant: z.string(),
  constants: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  /** Variables of the kernel stored as f16. */
  halves: z.array(z.string()),
  workgroup: z.tuple([count, count, count]),
  grid: z.tuple([count, count, count]),
  workgroupBytes: count,
  calls: count,
  /** Calls of the kernel just after it was compiled. */
  coldCalls: count,
  /** Warm calls while the machine was busy with something else or throttled. */
  taintedCalls: count.optional(),
  milliseconds: timesSchema,
  /** Of the sum over all kernels, 0..1. */
  share: amount,
  /** Of one call, declared by the operation, a multiply-add counted as two; null where counting means little. */
  flops: amount.nullable(),
  /** Of one call: every argument read once and every result written once. */
  bytes: amount,
  gflops: amount.nullable(),
  GBps: amount,
  /** flops / bytes. */
  intensity: amount.nullable(),
  /**
   * The roof that binds, and the least possible time by it divided by the median time. None without roofs or a time, and
   * none of a clear: no roof of writing alone is measured.
   */
  roof: z.strictObject({ binds: z.enum(["arithmetic", "memory", "dispatch"]), share: amount }).nullable(),
  /** The specialised WGSL, by hash into `sources`; empty for a transfer. */
  source: z.string(),
  /** By GPU, where it was asked for (`acutance profile --inspect`); of none that its compiler refused. */
  machineCode: z.array(machineCodeSchema).optional(),
});
export type KernelProfile = z.infer<typeof kernelSchema>;

/** Published form of a profile; `acutance profile --schema` prints it as JSON Schema. Times in ms from the start of the span. */
export const profileSchema = z.strictObject({
  format: z.literal("acutance-profile"),
  version: z.literal(1),
  /** What was profiled, as typed. */
  command: z.string(),
  measuredAt: z.iso.datetime(),
  machine: z.strictObject({
    runtime: z.string(),
    provider: z.string(),
    vendor: z.string(),
    architecture: z.string(),
    description: z.string(),
    features: z.array(z.string()),
    subgroupSize: count,
    system: z.string(),
  }),
  clock: z.strictObject({
    source: z.enum(["timestamp", "wall"]),
    stepNanoseconds: amount,
    /**
     * How the adapter's clock lies on the host's: it is known to ± `uncertaintyMs`, and at the end they had drifted apart by
     * `driftMs` beyond that.
     */
    alignment: z.strictObject({ uncertaintyMs: amount, driftMs: z.number() }).optional(),
  }),
  marks: z.array(z.enum(Object.keys(marks) as [Mark, ...Mark[]])),
  roofs: roofsSchema.nullable(),
  /** What else went on: processors that others kept busy, the part of the time when times are tainted, runs that were taken. */
  conditions: z
    .strictObject({
      othersCores: z.strictObject({ median: amount, most: amount }),
      taintedShare: amount,
      /** Time of a call in the last third divided by that in the first, the geometric mean over the kernels, by time. */
      slowdown: amount,
      runs: count,
    })
    .optional(),
  span: z.strictObject({
    /** By the host's clock, from the start of the profile until all its work was done. */
    wallMs: amount,
    /** From the first timestamp to the last. */
    gpuMs: amount,
    /** Sum over all kernels and transfers. */
    busyMs: amount,
    /** Time of `gpuMs` in which nothing ran; without timestamps the host's time between two commands is in it. */
    idleMs: amount,
    /** Host time spent in recording and encoding dispatches. */
    hostEncodeMs: amount,
    dispatches: count,
    submits: count,
    /** Dispatches by raw WebGPU calls, which are not among the kernels. */
    rawDispatches: count.optional(),
  }),
  /** Methods of WebGPU that a program called: host time, waits by themselves, and bytes where it moved some. */
  hostCalls: z
    .array(z.strictObject({ call: z.string(), calls: count, milliseconds: amount, bytes: amount }))
    .optional(),
  /** What the profiling itself cost: host time spent in it, and the time that splitting passes adds to a dispatch. */
  overhead: z.strictObject({ hostMs: amount, microsecondsPerDispatch: amount.nullable() }),
  kernels: z.array(kernelSchema),
  /** Every dispatch, in order; the first `eventLimit` of them. */
  events: z.array(
    z.strictObject({
      /** Index into `kernels`. */
      kernel: count,
      startMs: amount,
      durationMs: amount,
      /** When the host recorded it, on the same axis. */
      recordedMs: amount,
      submit: count,
      cold: z.boolean(),
      /** Why its time is not to be trusted. */
      taint: z.enum(["busy", "throttled"]).optional(),
    }),
  ),
  eventsLeftOut: count,
  memory: z.strictObject({
    peakBytes: count,
    /** Who held how much at the peak, the most first. */
    owners: z.array(z.strictObject({ owner: z.string(), atPeakBytes: count })),
    /** Bytes used over time. */
    timeline: z.array(z.strictObject({ ms: amount, bytes: count })),
  }),
  /** What the tuner timed, losers too. */
  tunings: z.array(
    z.strictObject({
      key: z.string(),
      chosen: z.string(),
      times: z.array(z.strictObject({ way: z.string(), milliseconds: amount, spread: amount })),
    }),
  ),
  /** Specialised WGSL by its hash. */
  sources: z.record(z.string(), z.string()),
  /** Assembly by its hash, of kernels that were inspected. */
  assemblies: z.record(z.string(), z.string()).optional(),
});
export type Profile = z.infer<typeof profileSchema>;
