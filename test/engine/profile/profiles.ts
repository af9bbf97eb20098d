import { type KernelProfile, type Profile, profileSchema } from "../../../engine/profile/profile.ts";

/** A kernel of a profile that ran `calls` times in `median` ms. */
export function kernelProfile(id: string, median: number, spread: number, calls: number, coldCalls = 0): KernelProfile {
  return {
    id,
    kernel: `conv/${id}`,
    op: "conv2d",
    layer: "layer1.0.conv1",
    phase: "forward",
    shapes: { x: "[8, 56, 56, 64] f32" },
    variant: "",
    constants: { ROWS: 8 },
    halves: [],
    workgroup: [8, 1, 1],
    grid: [4, 1, 1],
    workgroupBytes: 0,
    calls,
    coldCalls,
    milliseconds: { total: median * calls, median, least: Math.max(0, median - spread), most: median + spread, spread },
    share: 0.5,
    flops: 1e6,
    bytes: 1e5,
    gflops: 1,
    GBps: 1,
    intensity: 10,
    roof: null,
    source: "s",
  };
}

let taken = 0;

/** A profile of the published form with the given kernels, each a second after the one before. */
export function profileOf(kernels: KernelProfile[], machine: Partial<Profile["machine"]> = {}): Profile {
  const busyMs = kernels.reduce((sum, { milliseconds }) => sum + milliseconds.total, 0);
  return profileSchema.parse({
    format: "acutance-profile",
    version: 1,
    command: "score photos",
    measuredAt: new Date(Date.UTC(2026, 10, 21, 10, 0, taken++)).toISOString(),
    machine: {
      runtime: "Bun 1.4.5",
      provider: "webgpu 0.6.2",
      vendor: "mesa",
      architecture: "software",
      description: "llvmpipe",
      features: [],
      subgroupSize: 8,
      system: "Linux",
      ...machine,
    },
    clock: { source: "timestamp", stepNanoseconds: 1 },
    marks: [],
    roofs: null,
    span: { wallMs: busyMs + 2, gpuMs: busyMs + 1, busyMs, idleMs: 1, hostEncodeMs: 1, dispatches: 1, submits: 1 },
    overhead: { hostMs: 0, microsecondsPerDispatch: null },
    kernels,
    events: [],
    eventsLeftOut: 0,
    memory: { peakBytes: 0, owners: [], timeline: [] },
    tunings: [],
    sources: {},
  });
}
