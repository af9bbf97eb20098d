import { readFileSync } from "node:fs";
import { backward, withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { parameter as learnt } from "../../../engine/nn/named.ts";
import { gelu } from "../../../engine/ops/activations.ts";
import { add, multiply } from "../../../engine/ops/arithmetic.ts";
import { attention, selfAttention } from "../../../engine/ops/attention.ts";
import { conv2d } from "../../../engine/ops/contraction/conv.ts";
import { linear } from "../../../engine/ops/contraction/matmul.ts";
import { concat, permute, slice } from "../../../engine/ops/join.ts";
import { layerNorm } from "../../../engine/ops/layer-norm.ts";
import { softCrossEntropy, weightedMean } from "../../../engine/ops/losses.ts";
import { batchNorm } from "../../../engine/ops/norm.ts";
import { globalAveragePool, maxPool2d } from "../../../engine/ops/pool.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { Optimiser } from "../../../engine/optim/optimiser.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { type Case, descent, type Mode } from "../cases.ts";
import { channelsLastOrder, inverse, isLearnt, permuted, permutedShape, relativeError } from "../data.ts";
import type { Engine, Prepared } from "../engine.ts";
import { inputData, seedData, targetData, weightData } from "../inputs.ts";
import { batchEpsilon, layerEpsilon, type Operations, parametersOf, patch } from "../networks.ts";

export async function open(): Promise<Engine> {
  const device = await openDevice();
  const direct = await openDevice({ winograd: false });
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return {
    version,
    adapter: device.info.description || device.info.vendor,
    note: `where there are gradients, others are compared with its sums over taps and not with Winograd's method, whose outputs differ in the sixth digit: that turns a few ReLUs in a million, which the root of squares shows (up to ${winogradTolerance} is let pass)`,
    prepare: async (wanted) => {
      const timed = prepare(device, wanted);
      return wanted.mode === "forward" ? tuned(device, timed) : tuned(device, compared(timed, prepare(direct, wanted)));
    },
  };
}

/** Largest relative error of our own gradients by Winograd's method against those without. */
const winogradTolerance = 5e-3;

/** Makes the outputs of the first run, which others are compared with, by sums over taps. */
function compared(timed: Prepared, exact: Prepared): Prepared {
  let first = true;
  return {
    ...timed,
    async run() {
      const outputs = await timed.run();
      if (!first) return outputs;
      first = false;
      const expected = await exact.run();
      exact.release();
      const there = timed.canonical(expected);
      const errors = timed.canonical(outputs).map((output, i) => relativeError(output, there[i]!));
      const worst = Math.max(...errors);
      if (!(worst <= winogradTolerance)) throw new Error(`with and without Winograd's method differ by ${worst}`);
      return expected;
    },
  };
}

/** Kernels are chosen after the first run, which is the one that is compared and not timed. */
function tuned(device: Device, prepared: Prepared): Prepared {
  return {
    ...prepared,
    async run() {
      const outputs = await prepared.run();
      await device.tuner.tune({ budgetMs: Number.POSITIVE_INFINITY });
      return outputs;
    },
  };
}

/** A case on the device. */
interface Stage {
  readonly device: Device;
  readonly wanted: Case;
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Names and file-order shapes of the weights that gradients teach. */
  readonly taught: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly operations: Operations<Tensor>;
  upload(): Tensor[];
  release(): void;
}

function prepare(device: Device, wanted: Case): Prepared {
  const list = parametersOf(wanted.network);
  const parameters = new Map<string, Tensor>();
  for (const { name, shape } of list) {
    const order = channelsLastOrder(shape);
    const tensor = learnt(device, permuted(weightData(wanted, name, shape), shape, order), permutedShape(shape, order));
    tensor.requiresGradient = isLearnt(name);
    parameters.set(name, tensor);
  }
  const data = inputData(wanted);
  return modes[wanted.mode]({
    device,
    wanted,
    parameters,
    taught: list.filter(({ name }) => isLearnt(name)),
    operations: operationsOf(parameters),
    upload: () => wanted.inputs.map((shape, i) => Tensor.from(device, data[i]!, shape)),
    release: () => {
      for (const tensor of parameters.values()) tensor.dispose();
    },
  });
}

const modes: Record<Mode, (stage: Stage) => Prepared> = { forward, gradient, step };

function forward({ device, wanted, operations, upload, release }: Stage): Prepared {
  const run = async () => {
    const { read } = device.scope(() =>
      withoutGradients(() => ({ read: wanted.network(operations, upload()).read() })),
    );
    return [await read];
  };
  return { run, canonical: (outputs) => [...outputs], release };
}

function gradient({ device, wanted, parameters, taught, operations, upload, release }: Stage): Prepared {
  const seed = Tensor.from(device, seedData(wanted), wanted.output).keep();
  const run = async () => {
    const { reads } = device.scope(() => {
      const inputs = upload();
      for (const input of inputs) input.requiresGradient = true;
      backward(sum(multiply(wanted.network(operations, inputs), seed)));
      const tensors = [...inputs, ...taught.map(({ name }) => parameters.get(name)!)];
      const started = tensors.map((tensor) => tensor.gradient!.read());
      for (const tensor of tensors) {
        tensor.gradient!.dispose();
        tensor.gradient = undefined;
      }
      return { reads: started };
    });
    return Promise.all(reads);
  };
  const inputs = wanted.inputs.length;
  return {
    run,
    canonical: (outputs) =>
      outputs.map((data, i) => (i < inputs ? data : inFileOrder(data, taught[i - inputs]!.shape))),
    release: () => {
      seed.dispose();
      release();
    },
  };
}

function step({ device, wanted, parameters, taught, operations, upload, release }: Stage): Prepared {
  const named = taught.map(({ name }) => ({
    name,
    tensor: parameters.get(name)!,
    kind: "vector" as const,
    role: "parameter" as const,
  }));
  const { rate, momentum } = descent;
  const optimiser = new Optimiser([{ parameters: named, rate, decay: 0 }], { kind: "sgd", momentum });
  const targets = targetData(wanted);
  const ones = new Float32Array(wanted.output[0]!).fill(1);
  const run = async () => {
    const { read } = device.scope(() => {
      const logits = wanted.network(operations, upload());
      const losses = softCrossEntropy(logits, Tensor.from(device, targets, wanted.output));
      const loss = weightedMean(losses, Tensor.from(device, ones, [ones.length]));
      const started = loss.read();
      backward(loss);
      optimiser.step();
      optimiser.clearGradients();
      return { read: started };
    });
    const loss = await read;
    await device.finish();
    return [loss];
  };
  return {
    run,
    canonical: (outputs) => [...outputs],
    release: () => {
      optimiser.dispose();
      release();
    },
  };
}

function inFileOrder(data: Float32Array, fileShape: readonly number[]): Float32Array {
  const order = channelsLastOrder(fileShape);
  return permuted(data, permutedShape(fileShape, order), inverse(order));
}

function operationsOf(parameters: ReadonlyMap<string, Tensor>): Operations<Tensor> {
  const alongLast = (x: Tensor, weight: Tensor, bias?: Tensor) => {
    const columns = weight.shape[1]!;
    if (x.rank === 2) return linear(x, weight, bias);
    const flat = reshape(x, [x.size / weight.shape[0]!, weight.shape[0]!]);
    return reshape(linear(flat, weight, bias), [...x.shape.slice(0, -1), columns]);
  };
  const inHeads = (x: Tensor, heads: number, parts: readonly number[] = []) => {
    const [images, tokens, width] = x.shape as [number, number, number];
    const split = parts.reduce((n, part) => n / part, width) / heads;
    return reshape(x, [images, tokens, ...parts, heads, split]);
  };
  const joined = (y: Tensor) => reshape(y, [y.shape[0]!, y.shape[1]!, y.shape[2]! * y.shape[3]!]);
  return {
    parameter: (name) => parameters.get(name)!,
    convolution: (x, weight, window) => conv2d(x, weight, window),
    batchNorm: (x, { scale, shift, mean, variance }, then) =>
      batchNorm(x, { scale, shift, runningMean: mean, runningVariance: variance }, { ...then, epsilon: batchEpsilon }),
    maxPool: (x) => maxPool2d(x, { kernel: 3, stride: 2, padding: 1 }),
    globalAverage: globalAveragePool,
    linear: alongLast,
    layerNorm: (x, scale, shift) => layerNorm(x, scale, shift, layerEpsilon),
    gelu,
    add,
    attention: (q, k, v, heads) => joined(attention(inHeads(q, heads), inHeads(k, heads), inHeads(v, heads))),
    selfAttention: (qkv, heads) => joined(selfAttention(inHeads(qkv, heads, [3]))),
    patches(x, weight, bias) {
      const [images, height, width] = x.shape as [number, number, number];
      const [rows, columns] = [height / patch, width / patch];
      const lines = permute(reshape(x, [images, rows, patch, columns, patch * 3]), [0, 1, 3, 2, 4]);
      const inputs = patch * patch * 3;
      const features = weight.shape[3]!;
      const flat = reshape(lines, [images * rows * columns, inputs]);
      return reshape(linear(flat, reshape(weight, [inputs, features]), bias), [images, rows * columns, features]);
    },
    prependToken(tokens, token) {
      const [images, , width] = tokens.shape as [number, number, number];
      return concat([add(Tensor.zeros(tokens.device, [images, 1, width]), token), tokens], 1);
    },
    firstToken(tokens) {
      const [images, , width] = tokens.shape as [number, number, number];
      return reshape(slice(tokens, [0, 0, 0], [images, 1, width]), [images, width]);
    },
  };
}
