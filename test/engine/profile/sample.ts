import { kernelText } from "../../../engine/kernel/text.ts";
import type { Phase } from "../../../engine/profile/labels.ts";
import { type KernelProfile, type Mark, type Profile, profileSchema } from "../../../engine/profile/profile.ts";
import { memoryGBps } from "../../../engine/tune/binding-roof.ts";
import type { Measured } from "../../../engine/tune/measured.ts";
import { summarise } from "../../../engine/tune/measured.ts";

export interface SampleOptions {
  readonly kernels: number;
  readonly events: number;
  readonly roofs?: boolean;
  readonly marks?: readonly Mark[];
  /** Put into texts that come from outside: layer, command, source. */
  readonly poison?: string;
}

const roofs: NonNullable<Profile["roofs"]> = {
  measuredAt: "2026-11-21T08:34:51.487Z",
  clock: { source: "timestamp", stepNanoseconds: 100 },
  fmaGflops: rate(9_800, "vec4 chains: 4, workgroup: 256"),
  f16FmaGflops: rate(17_900),
  integerGops: rate(4_900),
  copyGBps: [sized(2 ** 19, 1_350), sized(2 ** 22, 1_210), sized(2 ** 25, 455), sized(2 ** 28, 431)],
  readGBps: [sized(2 ** 18, 1_480), sized(2 ** 21, 1_390), sized(2 ** 24, 610), sized(2 ** 27, 448)],
  workgroupGBps: rate(5_200),
  bufferCopyGBps: rate(402),
  uploadGBps: rate(9.1),
  dispatchMicroseconds: rate(2.1),
  encodeMicroseconds: rate(3.4),
  passMicroseconds: rate(6.2),
  submitMicroseconds: rate(41),
  readbackMicroseconds: rate(190),
};

function rate(median: number, note?: string): Measured {
  return summarise([median * 0.93, median, median * 1.02], note);
}

function sized(bytes: number, median: number) {
  return { bytes, rate: rate(median) };
}

/** A kernel before its calls are known. */
interface Plan {
  readonly op: string;
  readonly kernel: string;
  readonly phase: Phase;
  readonly layer: string;
  readonly variant: string;
  readonly shapes: Record<string, string>;
  readonly constants: KernelProfile["constants"];
  readonly flops: number | null;
  readonly bytes: number;
  readonly workgroup: [number, number, number];
  readonly grid: [number, number, number];
  readonly workgroupBytes: number;
  /** Of the roof that it reaches. */
  readonly efficiency: number;
}

/** A profile as a training step on a discrete GPU might give it: the same options, the same profile; its sums agree. */
export function sampleProfile(options: SampleOptions): Profile {
  const random = generator(7);
  const plans = [...trainingStep(random, options.poison ?? "")].slice(0, options.kernels);
  const timed = dispatches(plans, options.events, random);
  const kernels = plans.map((plan, index) => kernelOf(plan, index, timed, options));
  const busyMs = total(timed.map(({ durationMs }) => durationMs));
  const first = timed[0]?.startMs ?? 0;
  const last = timed.at(-1);
  const gpuMs = last ? last.startMs + last.durationMs - first : 0;
  return profileSchema.parse({
    format: "acutance-profile",
    version: 1,
    command: `acutance train cpl --data photos --csv scores.csv --stage-one-batch 64${options.poison ?? ""}`,
    measuredAt: "2026-11-21T09:30:00.000Z",
    machine: {
      runtime: "bun 1.4.5",
      provider: "webgpu 0.6.2",
      vendor: "amd",
      architecture: "rdna-3",
      description: "Radeon RX 7600 (RADV NAVI33)",
      features: ["core-features-and-limits", "shader-f16", "subgroups", "timestamp-query"],
      subgroupSize: 32,
      system: "linux x64, 16 x AMD Ryzen 7 7700",
    },
    clock: { source: "timestamp", stepNanoseconds: 100 },
    marks: [...(options.marks ?? [])],
    roofs: options.roofs === false ? null : roofs,
    span: {
      wallMs: gpuMs + 3.2,
      gpuMs,
      busyMs,
      idleMs: gpuMs - busyMs,
      hostEncodeMs: timed.length * 0.0034,
      dispatches: timed.length,
      submits: (last?.submit ?? -1) + 1,
    },
    overhead: { hostMs: timed.length * 0.0011, microsecondsPerDispatch: 1.7 },
    kernels,
    events: timed,
    eventsLeftOut: 0,
    memory: memoryOf(gpuMs, timed.length),
    tunings: tunings(Math.min(24, options.kernels - 1), random),
    sources: Object.fromEntries(plans.map((plan) => [sourceKey(plan), sourceOf(plan, options.poison ?? "")])),
  } satisfies Profile);
}

function* trainingStep(random: () => number, poison: string): Generator<Plan> {
  const layers = [{ layer: `conv1${poison}`, side: 112, inner: 4, outer: 64, taps: 49 }];
  for (let stage = 1; stage <= 4; stage++) {
    const outer = 64 << (stage - 1);
    for (let block = 0; block < 3; block++) {
      for (let conv = 1; conv <= 2; conv++) {
        layers.push({
          layer: `layer${stage}.${block}.conv${conv}`,
          side: 56 >> (stage - 1),
          inner: outer,
          outer,
          taps: 9,
        });
      }
    }
  }
  const batch = 32;
  for (const { layer, side, inner, outer, taps } of layers) {
    const elements = batch * side * side * outer;
    const flops = 2 * elements * taps * inner;
    const x = `[${batch}, ${side}, ${side}, ${inner}] f32`;
    const y = `[${batch}, ${side}, ${side}, ${outer}] f32`;
    const weight = `[${Math.sqrt(taps)}, ${Math.sqrt(taps)}, ${inner}, ${outer}] f32`;
    const convolution = (op: string, kernel: string, phase: Phase, shapes: Record<string, string>): Plan => ({
      ...{ op, kernel, phase, layer, shapes, flops },
      variant: "8x4 subgroup",
      constants: { ROWS: 8, COLUMNS: 4, BROADCAST: true, EPILOGUE: "none" },
      bytes: 4 * (2 * elements + taps * inner * outer),
      workgroup: [64, 1, 1],
      grid: [Math.ceil(elements / 2048), 1, 1],
      workgroupBytes: kernel === "conv/tile" ? 0 : 8192,
      efficiency: 0.25 + 0.6 * random(),
    });
    const elementwise = (op: string, kernel: string, phase: Phase, arrays: number): Plan => ({
      ...{ op, kernel, phase, layer, shapes: { x: y, y }, variant: "" },
      constants: { WORKGROUP: 256, OP: op },
      flops: random() < 0.5 ? arrays * elements : null,
      bytes: 4 * arrays * elements,
      workgroup: [256, 1, 1],
      grid: [Math.min(65535, Math.ceil(elements / 1024)), 1, 1],
      workgroupBytes: kernel.startsWith("norm/") ? 2048 : 0,
      efficiency: 0.35 + 0.6 * random(),
    });
    yield convolution("conv2d", "conv/tile", "forward", { x, weight, y });
    yield elementwise("batchNorm", "norm/moments", "forward", 1);
    yield elementwise("batchNorm", "norm/apply", "forward", 2);
    yield elementwise("relu", "elementwise/unary", "forward", 2);
    yield elementwise("relu", "elementwise/unary", "backward", 3);
    yield elementwise("batchNorm", "norm/gradient_sums", "backward", 2);
    yield elementwise("batchNorm", "norm/gradient", "backward", 3);
    yield convolution("conv2dInputGradient", "conv/tile", "backward", { dy: y, weight, dx: x });
    yield convolution("conv2dWeightGradient", "conv/weight_gradient", "backward", { x, dy: y, dweight: weight });
    for (const [op, arrays] of [
      ["adam", 7],
      ["squaredSum", 1],
      ["average", 3],
    ] as const) {
      const kernel = op === "squaredSum" ? "optim/squared_sum" : `optim/${op}`;
      yield {
        ...elementwise(op, kernel, "optimiser", arrays),
        bytes: 4 * arrays * taps * inner * outer,
        shapes: { value: weight },
      };
    }
  }
}

function dispatches(plans: readonly Plan[], count: number, random: () => number): Profile["events"] {
  const events: Profile["events"] = [];
  let gpu = 0.4;
  let host = 0;
  for (let index = 0; index < count; index++) {
    const plan = plans[index % plans.length]!;
    const cold = index < plans.length;
    host += 0.0034 + (index % 64 === 0 ? 0.05 : 0) + (index % plans.length === 0 ? 0.4 : 0);
    gpu = Math.max(gpu + 0.002 + 0.004 * random(), host + 0.03);
    if (index % plans.length === 0) gpu += 0.9;
    const durationMs = (leastMs(plan).ms / plan.efficiency) * (1 + 0.06 * random()) * (cold ? 4 : 1);
    events.push({
      kernel: index % plans.length,
      startMs: gpu,
      durationMs,
      recordedMs: host,
      submit: Math.floor(index / 64),
      cold,
    });
    gpu += durationMs;
  }
  return events;
}

function leastMs({ flops, bytes }: Pick<Plan, "flops" | "bytes">) {
  const candidates = [
    { binds: "arithmetic" as const, ms: (flops ?? 0) / roofs.fmaGflops.most / 1e6 },
    { binds: "memory" as const, ms: bytes / memoryGBps(bytes, roofs) / 1e6 },
    { binds: "dispatch" as const, ms: roofs.dispatchMicroseconds.least / 1e3 },
  ];
  return candidates.reduce((a, b) => (b.ms > a.ms ? b : a));
}

function kernelOf(plan: Plan, index: number, events: Profile["events"], options: SampleOptions): KernelProfile {
  const calls = events.filter(({ kernel }) => kernel === index);
  const warm = calls.filter(({ cold }) => !cold);
  const times = (warm.length > 0 ? warm : calls).map(({ durationMs }) => durationMs).sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? 0;
  const all = total(calls.map(({ durationMs }) => durationMs));
  const least = leastMs(plan);
  const { efficiency: _, flops, bytes, ...rest } = plan;
  return {
    ...rest,
    id: `k${(0x9e3779b1 * (index + 1)).toString(16).slice(0, 8)}`,
    halves: [],
    calls: calls.length,
    coldCalls: calls.length - warm.length,
    milliseconds: {
      total: all,
      median,
      least: times[0] ?? 0,
      most: times.at(-1) ?? 0,
      spread: (at(0.84) - at(0.16)) / 2,
    },
    share: all / total(events.map(({ durationMs }) => durationMs)),
    flops,
    bytes,
    gflops: flops === null ? null : flops / median / 1e6,
    GBps: bytes / median / 1e6,
    intensity: flops === null ? null : flops / bytes,
    roof: options.roofs === false ? null : { binds: least.binds, share: least.ms / median },
    source: sourceKey(plan),
  };
}

function sourceKey({ kernel, constants }: Plan): string {
  return `${kernel}-${Object.values(constants).join("-")}`;
}

function sourceOf({ kernel, constants }: Plan, poison: string): string {
  return `// ${JSON.stringify(constants)} ${poison}\n${kernelText(kernel)}`;
}

function memoryOf(gpuMs: number, events: number): Profile["memory"] {
  const points = Math.min(600, events);
  const peak = 1.9 * 2 ** 30;
  const timeline = Array.from({ length: points }, (_, i) => {
    const step = ((8 * i) / points) % 1;
    return {
      ms: (gpuMs * i) / points,
      bytes: Math.round(peak * (0.3 + 0.7 * Math.max(0, 1 - Math.abs(2 * step - 1)))),
    };
  });
  const peakBytes = Math.max(0, ...timeline.map(({ bytes }) => bytes));
  const shares = {
    "activations: batchNorm": 0.41,
    "activations: relu": 0.22,
    "activations: conv2d": 0.18,
    parameters: 0.05,
    gradients: 0.05,
    optimiser: 0.08,
  };
  const owners = Object.entries(shares).map(([owner, share]) => ({
    owner,
    atPeakBytes: Math.floor(share * peakBytes),
  }));
  return { peakBytes, owners, timeline };
}

function tunings(count: number, random: () => number): Profile["tunings"] {
  return Array.from({ length: Math.max(0, count) }, (_, i) => {
    const base = 0.05 + random();
    const ways = ["broadcast 8x32", "broadcast 16x32", "broadcast 32x32", "shared 64x64", "plain 8x8"];
    const times = ways.map((way) => ({ way, milliseconds: base * (1 + 2 * random()), spread: base * 0.04 * random() }));
    const chosen = times.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a)).way;
    return {
      key: `contraction ${64 << (i % 6)}x64 of 3x3x${4 * (i + 1)}, lines of 8, stride 1,1 f32 f32 f32`,
      chosen,
      times,
    };
  });
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Numbers in 0..1 (Park and Miller's generator). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
