import type { Device } from "./device/device.ts";
import { affinity } from "./graph/affinity.ts";
import { nearestNeighbours } from "./graph/neighbours.ts";
import { propagate } from "./graph/propagate.ts";
import { symmetricGraph } from "./graph/sparse.ts";
import type { MemoryReport } from "./memory/report.ts";
import { contractWeight } from "./ops/contraction/contract-weight.ts";
import { conv2d, conv2dInputGradient } from "./ops/contraction/conv.ts";
import { depthwise } from "./ops/contraction/depthwise.ts";
import { matmul } from "./ops/contraction/matmul.ts";
import { tileSize, type WinogradChoice, winogradFlops } from "./ops/contraction/winograd.ts";
import { Random } from "./random.ts";
import { sizeOf, Tensor } from "./tensor.ts";
import type { Cost } from "./tune/binding-roof.ts";
import { isEnough } from "./tune/noise.ts";

export interface BenchResult {
  readonly name: string;
  readonly medianMs: number;
  readonly leastMs: number;
  readonly mostMs: number;
  /** Of every run, the shortest first. */
  readonly times?: readonly number[];
  /** Declared arithmetic divided by the median time; absent where counting it means little. */
  readonly gflops?: number;
  /** What the work must do at least; absent where it is not known. */
  readonly cost?: Cost;
  readonly note?: string;
  /** Device memory while it was measured, where that is of interest. */
  readonly memory?: MemoryReport;
}

export interface Benchmark {
  readonly name: string;
  measure(device: Device, runs: number): Promise<BenchResult>;
}

/** Measures again until the median is known to the share `noise`, at most 200 runs; a benchmark that tells no times is measured once. */
export async function measureUntil(
  benchmark: Benchmark,
  device: Device,
  runs: number,
  noise: number | undefined,
): Promise<BenchResult> {
  let result = await benchmark.measure(device, runs);
  while (noise !== undefined && result.times && !isEnough(result.times, { runs, noise })) {
    const { times = [], ...more } = await benchmark.measure(device, runs);
    const figures = resultOf(more.name, [...result.times, ...times]);
    const gflops = more.cost && more.gflops ? (more.gflops * more.medianMs) / figures.medianMs : undefined;
    result = { ...more, ...figures, ...(gflops && { gflops }) };
  }
  return result;
}

/** Times `work` from its recording until the adapter has done it: one warm-up, then `runs` times. */
export async function time(
  device: Device,
  name: string,
  runs: number,
  cost: Cost | undefined,
  work: () => unknown,
): Promise<BenchResult> {
  const once = async () => {
    const start = performance.now();
    device.scope(() => {
      work();
    });
    await device.finish();
    return performance.now() - start;
  };
  await once();
  // What is measured runs the kernels that the tuner takes.
  await device.tuner.tune({ budgetMs: Number.POSITIVE_INFINITY });
  await once();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) times.push(await once());
  const result = resultOf(name, times);
  return { ...result, ...(cost && { gflops: cost.flops / result.medianMs / 1e6, cost }) };
}

function resultOf(name: string, given: readonly number[]) {
  const times = given.toSorted((a, b) => a - b);
  return { name, medianMs: times[Math.floor(times.length / 2)]!, leastMs: times[0]!, mostMs: times.at(-1)!, times };
}

/** A tensor of uniform numbers in [−0.5, 0.5) that outlives scopes. */
export function noise(device: Device, shape: readonly number[]): Tensor {
  const random = new Random(1, shape.join("x"));
  const size = shape.reduce((a, b) => a * b, 1);
  // Words as fractions: a million double-precision draws would take longer than what is measured.
  return Tensor.from(
    device,
    Float32Array.from({ length: size }, () => random.word() / 2 ** 32 - 0.5),
    shape,
  ).keep();
}

/** A benchmark of `work` on noise of the given shapes. */
export function withTensors(
  name: string,
  shapes: readonly (readonly number[])[],
  cost: Cost,
  work: (...tensors: Tensor[]) => unknown,
): Benchmark {
  return {
    name,
    async measure(device, runs) {
      const tensors = shapes.map((shape) => noise(device, shape));
      const result = await time(device, name, runs, cost, () => work(...tensors));
      for (const tensor of tensors) tensor.dispose();
      return result;
    },
  };
}

const images = 8;

/** The distinct convolutions of ResNet-18 at 224 pixels: side, channels in, channels out, kernel, stride. */
const resnetConvolutions = [
  [224, 3, 64, 7, 2],
  [56, 64, 64, 3, 1],
  [56, 64, 128, 3, 2],
  [28, 128, 128, 3, 1],
  [28, 128, 256, 3, 2],
  [14, 256, 256, 3, 1],
  [14, 256, 512, 3, 2],
  [7, 512, 512, 3, 1],
  [56, 64, 128, 1, 2],
] as const;

function convolution([side, channels, columns, kernel, stride]: (typeof resnetConvolutions)[number]): Benchmark[] {
  const padding = (kernel - 1) / 2;
  const out = Math.floor((side + 2 * padding - kernel) / stride) + 1;
  const name = `conv ${kernel}x${kernel}/${stride} ${channels}-${columns} at ${side}, batch ${images}`;
  const x = [images, side, side, channels];
  const weight = [kernel, kernel, channels, columns];
  const dy = [images, out, out, columns];
  const options = { stride, padding };
  const flops = 2 * images * out * out * kernel * kernel * channels * columns;
  // Two of the tensors are read, the third is written; of x only what lies under a tap, its gradient whole.
  const touched = Math.min(side, out * kernel);
  const cost = { flops, bytes: 4 * (images * touched ** 2 * channels + sizeOf(weight) + sizeOf(dy)) };
  const inputCost = { flops, bytes: 4 * (sizeOf(x) + sizeOf(weight) + sizeOf(dy)) };
  const forward = withTensors(name, [x, weight], cost, (a, w) => conv2d(a!, w!, options));
  if (channels % 4 !== 0) return [forward];
  const shape = {
    images,
    input: [side, side],
    channels,
    output: [out, out],
    columns,
    kernel: [kernel, kernel],
  } as const;
  const pairs = { stride: [stride, stride], padding: [padding, padding] } as const;
  return [
    asChosen(forward, { ...shape, ...pairs }),
    withTensors("  weight gradient", [x, dy], cost, (a, d) => contractWeight(a!, d!, { ...shape, ...pairs })),
    asChosen(
      withTensors("  input gradient", [dy, weight], inputCost, (d, w) => conv2dInputGradient(d!, w!, x, options)),
      { ...shape, ...pairs, output: shape.input },
    ),
  ];
}

/** Where Winograd's method is taken, the roof is that of its products; GFLOP/s stay those of the sum over taps, to compare. */
function asChosen(benchmark: Benchmark, shape: WinogradChoice): Benchmark {
  return {
    name: benchmark.name,
    async measure(device, runs) {
      const result = await benchmark.measure(device, runs);
      const size = tileSize(device, shape);
      if (!size || !result.cost) return result;
      const cost = { ...result.cost, flops: images * winogradFlops(size, shape) };
      return { ...result, cost, note: `F(${size - 2} x ${size - 2}, 3 x 3); GFLOP/s as of the sum over taps` };
    },
  };
}

/** Depthwise 3x3 convolutions of MobileNetV2 at 224 pixels: side, channels, stride. */
const depthwiseConvolutions = [
  [56, 144, 1],
  [28, 192, 2],
  [7, 960, 1],
] as const;

function depthwiseConvolution([side, channels, stride]: (typeof depthwiseConvolutions)[number]): Benchmark[] {
  const out = Math.floor((side - 1) / stride) + 1;
  const name = `depthwise 3x3/${stride} ${channels} at ${side}, batch ${images}`;
  const x = [images, side, side, channels];
  const weight = [3, 3, 1, channels];
  const dy = [images, out, out, channels];
  const options = { stride, padding: 1, groups: channels };
  // Two of the tensors are read, the third is written.
  const cost = {
    flops: 2 * images * out * out * 9 * channels,
    bytes: 4 * (sizeOf(x) + sizeOf(weight) + sizeOf(dy)),
  };
  const shape = {
    images,
    input: [side, side],
    channels,
    output: [out, out],
    columns: channels,
    kernel: [3, 3],
    stride: [stride, stride],
    padding: [1, 1],
  } as const;
  return [
    withTensors(name, [x, weight], cost, (a, w) => conv2d(a!, w!, options)),
    withTensors("  weight gradient", [x, dy], cost, (a, d) => depthwise.weightGradient(a!, d!, shape)),
    withTensors("  input gradient", [dy, weight], cost, (d, w) => conv2dInputGradient(d!, w!, x, options)),
  ];
}

const graphSize = { points: 8058, features: 256, neighbours: 10, levels: 100, labelled: 2015 } as const;

const graphBenchmarks: Benchmark[] = [
  withTensors(
    `exact k-NN, N = ${graphSize.points}, d = ${graphSize.features}, k = ${graphSize.neighbours}`,
    [[graphSize.points, graphSize.features]],
    {
      // The products are symmetric: each pair once.
      flops: graphSize.points ** 2 * graphSize.features,
      bytes: 4 * graphSize.points * (graphSize.features + 2 * graphSize.neighbours),
    },
    (features) => nearestNeighbours(features!, { k: graphSize.neighbours }),
  ),
  {
    name: `graph of neighbours, N = ${graphSize.points}, k = ${graphSize.neighbours}`,
    async measure(device, runs) {
      const features = noise(device, [graphSize.points, graphSize.features]);
      const { metric, indices, values } = device.scope(() => nearestNeighbours(features, { k: graphSize.neighbours }));
      const work = () => symmetricGraph(indices, affinity({ metric, indices, values }));
      const result = await time(device, this.name, runs, undefined, work);
      for (const tensor of [features, indices, values]) tensor.dispose();
      return result;
    },
  },
  {
    name: `label propagation, N = ${graphSize.points}, m = ${graphSize.levels}, gamma 0.99`,
    async measure(device, runs) {
      const features = noise(device, [graphSize.points, graphSize.features]);
      const targets = noise(device, [graphSize.labelled, graphSize.levels]);
      const graph = device.scope(() => {
        const neighbours = nearestNeighbours(features, { k: graphSize.neighbours });
        return symmetricGraph(neighbours.indices, affinity(neighbours));
      });
      const rows = Array.from({ length: graphSize.labelled }, (_, i) => i);
      let iterations = 0;
      const work = async () => {
        const result = await propagate(graph, { rows, targets }, { gamma: 0.99 });
        iterations = result.iterations;
        result.pseudoLabels.dispose();
        result.confidence.dispose();
      };
      const result = await timeAsync(device, this.name, runs, work);
      for (const tensor of [features, targets, graph.rowStart, graph.columns, graph.values]) tensor.dispose();
      return { ...result, note: `${iterations} iterations` };
    },
  },
];

async function timeAsync(device: Device, name: string, runs: number, work: () => Promise<void>): Promise<BenchResult> {
  await work();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await work();
    await device.finish();
    times.push(performance.now() - start);
  }
  return resultOf(name, times);
}

/** What `acutance bench` measures of the engine. */
export const benchmarks: readonly Benchmark[] = [
  ...[512, 1024].map((n) =>
    withTensors(
      `matmul ${n}x${n}x${n}`,
      [
        [n, n],
        [n, n],
      ],
      { flops: 2 * n ** 3, bytes: 3 * 4 * n ** 2 },
      (a, b) => matmul(a!, b!),
    ),
  ),
  ...resnetConvolutions.flatMap(convolution),
  ...depthwiseConvolutions.flatMap(depthwiseConvolution),
  ...graphBenchmarks,
];
