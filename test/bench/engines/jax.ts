import { type Case, descent } from "../cases.ts";
import {
  channelsLastOrder,
  type Extents,
  inverse,
  isLearnt,
  permuted,
  permutedShape,
  toChannelsFirst,
  toChannelsLast,
} from "../data.ts";
import type { Engine, Prepared } from "../engine.ts";
import { inputData, seedData, targetData, weightData } from "../inputs.ts";
import { batchEpsilon, layerEpsilon, type Operations, parametersOf, patch } from "../networks.ts";
import { importRival, rivalVersion } from "../package-of.ts";
import { offerNavigatorGpu } from "./navigator.ts";

/** An array of jax-js: functions use up their arguments, `.ref` gives one more use. */
interface Jax {
  readonly ref: Jax;
  readonly shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
  add(other: Jax | number): Jax;
  sub(other: Jax): Jax;
  mul(other: Jax | number): Jax;
  div(other: Jax): Jax;
  reshape(shape: readonly number[]): Jax;
  transpose(order: readonly number[]): Jax;
  sum(axis?: number): Jax;
  slice(...index: (number | [])[]): Jax;
}

type Axes = readonly number[] | number;
type Keep = { keepdims: boolean };
type Tree = Jax | readonly Tree[];

/** The part of @jax-js/jax that is used. */
interface JaxLibrary {
  init(...devices: string[]): Promise<string[]>;
  defaultDevice(device: string): void;
  jit<F>(f: F): F;
  grad(f: (tree: Jax[], ...rest: Tree[]) => Jax): (tree: Jax[], ...rest: Tree[]) => Jax[];
  valueAndGrad(f: (tree: Jax[], ...rest: Tree[]) => Jax): (tree: Jax[], ...rest: Tree[]) => [Jax, Jax[]];
  blockUntilReady(tree: Tree): Promise<unknown>;
  readonly lax: {
    convGeneralDilated(x: Jax, w: Jax, strides: readonly number[], padding: readonly (readonly number[])[]): Jax;
    reduceWindow(x: Jax, f: (x: Jax) => Jax, window: readonly number[], strides: readonly number[]): Jax;
  };
  readonly nn: {
    relu(x: Jax): Jax;
    gelu(x: Jax, options: { approximate: boolean }): Jax;
    logSoftmax(x: Jax): Jax;
    dotProductAttention(q: Jax, k: Jax, v: Jax): Jax;
  };
  readonly numpy: {
    array(data: Float32Array, options: { shape: readonly number[] }): Jax;
    zeros(shape: readonly number[]): Jax;
    matmul(a: Jax, b: Jax): Jax;
    mean(x: Jax, axes?: Axes, options?: Keep): Jax;
    square(x: Jax): Jax;
    sqrt(x: Jax): Jax;
    max(x: Jax): Jax;
    pad(x: Jax, widths: readonly (readonly number[])[]): Jax;
    split(x: Jax, parts: number, axis: number): Jax[];
    concatenate(arrays: Jax[], axis: number): Jax;
    broadcastTo(x: Jax, shape: readonly number[]): Jax;
    negative(x: Jax): Jax;
  };
}

export async function open(): Promise<Engine> {
  const adapter = await offerNavigatorGpu();
  const jax = await importRival<JaxLibrary>("@jax-js/jax");
  const devices = await jax.init("webgpu");
  if (!devices.includes("webgpu")) throw new Error(`jax.init("webgpu") offers ${devices}`);
  jax.defaultDevice("webgpu");
  return { version: rivalVersion("@jax-js/jax"), adapter, prepare: async (wanted) => prepare(jax, wanted) };
}

/** Pictures are [N, C, H, W] here. */
const native = (shape: readonly number[]) => (shape.length === 4 ? permutedShape(shape, toChannelsFirst) : shape);
const toNative = (data: Float32Array, shape: readonly number[]) =>
  shape.length === 4 ? permuted(data, shape, toChannelsFirst) : data;
const fromNative = (data: Float32Array, shape: readonly number[]) =>
  shape.length === 4 ? permuted(data, native(shape), toChannelsLast) : data;

/** Convolution weights stay in file order, matrices are [in, out]. */
const weightOrder = (shape: readonly number[]) =>
  shape.length === 2 ? channelsLastOrder(shape) : shape.map((_, i) => i);

/** One more use of each. */
const references = (arrays: readonly Jax[]) => arrays.map((array) => array.ref);

function prepare(jax: JaxLibrary, wanted: Case): Prepared {
  const { numpy: np } = jax;
  const list = parametersOf(wanted.network);
  const arrays = list.map(({ name, shape }) => {
    const order = weightOrder(shape);
    return np.array(permuted(weightData(wanted, name, shape), shape, order), { shape: permutedShape(shape, order) });
  });
  const data = inputData(wanted).map((numbers, i) => toNative(numbers, wanted.inputs[i]!));
  const upload = () => wanted.inputs.map((shape, i) => np.array(data[i]!, { shape: native(shape) }));
  const learnt = list.flatMap(({ name }, i) => (isLearnt(name) ? [i] : []));
  const fixed = list.flatMap(({ name }, i) => (isLearnt(name) ? [] : [i]));
  const pick = (indices: readonly number[]) => indices.map((i) => arrays[i]!);
  const apply = (weights: readonly Jax[], statistics: readonly Jax[], inputs: readonly Jax[]) => {
    const named = new Map<string, Jax>();
    for (const [k, i] of learnt.entries()) named.set(list[i]!.name, weights[k]!);
    for (const [k, i] of fixed.entries()) named.set(list[i]!.name, statistics[k]!);
    return wanted.network(operationsOf(jax, named), inputs);
  };
  const release = () => {
    for (const array of arrays) array.dispose();
  };
  if (wanted.mode === "forward") {
    const forward = jax.jit((weights: Jax[], statistics: Jax[], inputs: Jax[]) => apply(weights, statistics, inputs));
    return {
      run: async () => [await forward(references(pick(learnt)), references(pick(fixed)), upload()).data()],
      canonical: (outputs) => outputs.map((output) => fromNative(output, wanted.output)),
      release,
    };
  }
  const stage = { weights: pick(learnt), statistics: pick(fixed), upload, apply, release };
  const shapes = learnt.map((i) => list[i]!.shape);
  return wanted.mode === "gradient" ? gradientOf(jax, wanted, stage, shapes) : trainingStep(jax, wanted, stage);
}

/** A case on the device: learnt weights, running statistics, and the network as a function of them. */
interface Stage {
  readonly weights: Jax[];
  readonly statistics: Jax[];
  upload(): Jax[];
  apply(weights: readonly Jax[], statistics: readonly Jax[], inputs: readonly Jax[]): Jax;
  release(): void;
}

function gradientOf(jax: JaxLibrary, wanted: Case, stage: Stage, shapes: readonly Extents[]): Prepared {
  const { weights, statistics, upload, apply, release } = stage;
  const seedShape = native(wanted.output);
  const seed = jax.numpy.array(toNative(seedData(wanted), wanted.output), { shape: seedShape });
  const inputs = wanted.inputs.length;
  const loss = (tree: Jax[], ...[fixed, c]: Tree[]) =>
    apply(tree.slice(inputs), fixed as Jax[], tree.slice(0, inputs))
      .mul(c as Jax)
      .sum();
  const gradient = jax.jit((tree: Jax[], fixed: Jax[], c: Jax) => jax.grad(loss)(tree, fixed, c));
  return {
    run() {
      const gradients = gradient([...upload(), ...references(weights)], references(statistics), seed.ref);
      return Promise.all(gradients.map((array) => array.data()));
    },
    canonical: (outputs) =>
      outputs.map((output, i) => {
        if (i < inputs) return fromNative(output, wanted.inputs[i]!);
        const shape = shapes[i - inputs]!;
        const order = weightOrder(shape);
        return permuted(output, permutedShape(shape, order), inverse(order));
      }),
    release: () => {
      seed.dispose();
      release();
    },
  };
}

function trainingStep(jax: JaxLibrary, wanted: Case, stage: Stage): Prepared {
  const { weights, statistics, upload, apply } = stage;
  const { numpy: np } = jax;
  const loss = (tree: Jax[], ...[fixed, inputs, targets]: Tree[]) => {
    const logits = apply(tree, fixed as Jax[], inputs as Jax[]);
    return np.negative(
      np.mean(
        jax.nn
          .logSoftmax(logits)
          .mul(targets as Jax)
          .sum(-1),
      ),
    );
  };
  const step = jax.jit((tree: Jax[], velocities: Jax[], fixed: Jax[], inputs: Jax[], targets: Jax) => {
    const [value, gradients] = jax.valueAndGrad(loss)(references(tree), fixed, inputs, targets);
    // v ← momentum · v + g    w ← w − rate · v
    const moved = velocities.map((velocity, i) => velocity.mul(descent.momentum).add(gradients[i]!));
    const updated = tree.map((array, i) => array.sub(moved[i]!.ref.mul(descent.rate)));
    return [value, updated, moved] as [Jax, Jax[], Jax[]];
  });
  const targetNumbers = targetData(wanted);
  let current = weights;
  let velocities = weights.map(({ shape }) => np.zeros(shape));
  return {
    async run() {
      const targets = np.array(targetNumbers, { shape: wanted.output });
      const [value, updated, moved] = step(current, velocities, references(statistics), upload(), targets);
      [current, velocities] = [updated, moved];
      const read = await value.data();
      await jax.blockUntilReady([current, velocities]);
      return [read];
    },
    canonical: (outputs) => [...outputs],
    release: () => {
      for (const array of [...current, ...velocities, ...statistics]) array.dispose();
    },
  };
}

/** Every use of an argument takes a reference of its own; what is left over is freed with the trace of jit. */
function operationsOf(jax: JaxLibrary, parameters: ReadonlyMap<string, Jax>): Operations<Jax> {
  const { numpy: np, lax, nn } = jax;
  const perChannel = (x: Jax) => x.ref.reshape([1, x.shape[0]!, 1, 1]);
  const convolution = (x: Jax, weight: Jax, stride: number, padding: number) =>
    lax.convGeneralDilated(
      x.ref,
      weight.ref,
      [stride, stride],
      [
        [padding, padding],
        [padding, padding],
      ],
    );
  /** (x − mean)/√(variance + ε). */
  const standardised = (x: Jax, mean: Jax, variance: Jax, epsilon: number) =>
    x.ref.sub(mean).div(np.sqrt(variance.add(epsilon)));
  const moments = (x: Jax, axes: Axes): [Jax, Jax] => {
    const keep = { keepdims: true };
    const mean = np.mean(x.ref, axes, keep);
    return [mean, np.mean(np.square(x.ref.sub(mean.ref)), axes, keep)];
  };
  const linear = (x: Jax, weight: Jax, bias?: Jax) => {
    const y = np.matmul(x.ref, weight.ref);
    return bias ? y.add(bias.ref) : y;
  };
  const attention = (q: Jax, k: Jax, v: Jax, heads: number) => {
    const inHeads = (x: Jax) => x.ref.reshape([x.shape[0]!, x.shape[1]!, heads, x.shape[2]! / heads]);
    return nn.dotProductAttention(inHeads(q), inHeads(k), inHeads(v)).reshape(q.shape);
  };
  return {
    parameter: (name) => parameters.get(name)!,
    convolution: (x, weight, { stride, padding }) => convolution(x, weight, stride, padding),
    batchNorm(x, tensors, { training, residual, relu }) {
      const [mean, variance] = training
        ? moments(x, [0, 2, 3])
        : ([perChannel(tensors.mean), perChannel(tensors.variance)] as const);
      let y = standardised(x, mean, variance, batchEpsilon)
        .mul(perChannel(tensors.scale))
        .add(perChannel(tensors.shift));
      if (residual) y = y.add(residual.ref);
      return relu ? nn.relu(y) : y;
    },
    maxPool(x) {
      // Zeros do for −∞ around a map that is never negative.
      const edges = [
        [0, 0],
        [0, 0],
        [1, 1],
        [1, 1],
      ];
      return lax.reduceWindow(np.pad(x.ref, edges), (window) => np.max(window), [3, 3], [2, 2]);
    },
    globalAverage: (x) => np.mean(x.ref, [2, 3]),
    linear,
    layerNorm(x, scale, shift) {
      const [mean, variance] = moments(x, -1);
      return standardised(x, mean, variance, layerEpsilon).mul(scale.ref).add(shift.ref);
    },
    gelu: (x) => nn.gelu(x.ref, { approximate: false }),
    add: (a, b) => a.ref.add(b.ref),
    attention,
    selfAttention(qkv, heads) {
      const [q, k, v] = np.split(qkv.ref, 3, 2);
      return attention(q!, k!, v!, heads);
    },
    patches(x, weight, bias) {
      const map = convolution(x, weight, patch, 0);
      const [images, columns, height, width] = map.shape as [number, number, number, number];
      return map
        .reshape([images, columns, height * width])
        .transpose([0, 2, 1])
        .add(bias.ref);
    },
    prependToken(tokens, token) {
      const [images, , width] = tokens.shape as [number, number, number];
      return np.concatenate([np.broadcastTo(token.ref, [images, 1, width]), tokens.ref], 1);
    },
    firstToken: (tokens) => tokens.ref.slice([], 0),
  };
}
