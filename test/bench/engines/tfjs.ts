import { type Case, descent, type Mode } from "../cases.ts";
import { channelsLastOrder, inverse, isLearnt, permuted, permutedShape } from "../data.ts";
import type { Engine, Prepared } from "../engine.ts";
import { inputData, seedData, targetData, weightData } from "../inputs.ts";
import { batchEpsilon, layerEpsilon, type Operations, parametersOf, patch } from "../networks.ts";
import { importRival, rivalVersion } from "../package-of.ts";
import { offerNavigatorGpu } from "./navigator.ts";

interface TfTensor {
  readonly shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}

type Numbers = readonly number[];

/** The part of @tensorflow/tfjs-core that is used. */
interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  enableProdMode(): void;
  tensor(data: Float32Array, shape: Numbers): TfTensor;
  variable(initial: TfTensor, trainable: boolean): TfTensor;
  tidy<T>(work: () => T): T;
  conv2d(x: TfTensor, w: TfTensor, stride: number, padding: number): TfTensor;
  batchNorm(x: TfTensor, mean: TfTensor, variance: TfTensor, shift: TfTensor, scale: TfTensor, e: number): TfTensor;
  moments(x: TfTensor, axes: Numbers, keepDims?: boolean): { mean: TfTensor; variance: TfTensor };
  maxPool(x: TfTensor, size: number, stride: number, padding: number): TfTensor;
  mean(x: TfTensor, axes?: Numbers): TfTensor;
  sum(x: TfTensor, axis?: number): TfTensor;
  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  relu(x: TfTensor): TfTensor;
  add(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  neg(x: TfTensor): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  erf(x: TfTensor): TfTensor;
  softmax(x: TfTensor): TfTensor;
  logSoftmax(x: TfTensor): TfTensor;
  reshape(x: TfTensor, shape: Numbers): TfTensor;
  transpose(x: TfTensor, order: Numbers): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  slice(x: TfTensor, begin: Numbers, size: Numbers): TfTensor;
  concat(tensors: TfTensor[], axis: number): TfTensor;
  tile(x: TfTensor, times: Numbers): TfTensor;
  grads(f: (...args: TfTensor[]) => TfTensor): (args: TfTensor[]) => TfTensor[];
  train: { momentum(rate: number, momentum: number): Momentum };
}

interface Momentum {
  minimize(loss: () => TfTensor, returnCost: boolean, variables: TfTensor[]): TfTensor;
  dispose(): void;
}

export async function open(): Promise<Engine> {
  const adapter = await offerNavigatorGpu();
  const tf = await importRival<Tf>("@tensorflow/tfjs-core");
  await importRival("@tensorflow/tfjs-backend-webgpu");
  // The core registers no gradient by itself.
  await importRival("@tensorflow/tfjs-core/dist/register_all_gradients.js");
  tf.enableProdMode();
  if (!(await tf.setBackend("webgpu"))) throw new Error("tf.setBackend('webgpu') returned false");
  await tf.ready();
  return {
    version: rivalVersion("@tensorflow/tfjs-backend-webgpu"),
    adapter,
    prepare: async (wanted) => prepare(tf, wanted),
  };
}

/** A case on the device. */
interface Stage {
  readonly tf: Tf;
  readonly wanted: Case;
  readonly parameters: ReadonlyMap<string, TfTensor>;
  /** Names and file-order shapes of the weights that gradients teach. */
  readonly taught: readonly { readonly name: string; readonly shape: Numbers }[];
  upload(): TfTensor[];
}

function prepare(tf: Tf, wanted: Case): Prepared {
  const list = parametersOf(wanted.network);
  const parameters = new Map<string, TfTensor>();
  for (const { name, shape } of list) {
    const order = channelsLastOrder(shape);
    const tensor = tf.tensor(permuted(weightData(wanted, name, shape), shape, order), permutedShape(shape, order));
    parameters.set(name, wanted.mode === "step" ? tf.variable(tensor, isLearnt(name)) : tensor);
    if (wanted.mode === "step") tensor.dispose();
  }
  const data = inputData(wanted);
  return modes[wanted.mode]({
    tf,
    wanted,
    parameters,
    taught: list.filter(({ name }) => isLearnt(name)),
    upload: () => wanted.inputs.map((shape, i) => tf.tensor(data[i]!, shape)),
  });
}

const modes: Record<Mode, (stage: Stage) => Prepared> = { forward, gradient, step };

function disposeAll(tensors: Iterable<TfTensor>): void {
  for (const tensor of tensors) tensor.dispose();
}

async function readAll(tensors: TfTensor[]): Promise<Float32Array[]> {
  const read = await Promise.all(tensors.map((tensor) => tensor.data()));
  disposeAll(tensors);
  return read;
}

function forward({ tf, wanted, parameters, upload }: Stage): Prepared {
  const operations = operationsOf(tf, parameters);
  return {
    run: () => readAll([tf.tidy(() => wanted.network(operations, upload()))]),
    canonical: (outputs) => [...outputs],
    release: () => disposeAll(parameters.values()),
  };
}

function gradient({ tf, wanted, parameters, taught, upload }: Stage): Prepared {
  const seed = tf.tensor(seedData(wanted), wanted.output);
  const inputs = wanted.inputs.length;
  const loss = (...tensors: TfTensor[]) => {
    const given = new Map(parameters);
    for (const [i, { name }] of taught.entries()) given.set(name, tensors[inputs + i]!);
    return tf.sum(tf.mul(wanted.network(operationsOf(tf, given), tensors.slice(0, inputs)), seed));
  };
  const gradients = tf.grads(loss);
  const weights = taught.map(({ name }) => parameters.get(name)!);
  return {
    run: () => readAll(tf.tidy(() => gradients([...upload(), ...weights]))),
    canonical: (outputs) =>
      outputs.map((data, i) => {
        if (i < inputs) return data;
        const { shape } = taught[i - inputs]!;
        const order = channelsLastOrder(shape);
        return permuted(data, permutedShape(shape, order), inverse(order));
      }),
    release: () => disposeAll([seed, ...parameters.values()]),
  };
}

function step({ tf, wanted, parameters, taught, upload }: Stage): Prepared {
  const operations = operationsOf(tf, parameters);
  const optimiser = tf.train.momentum(descent.rate, descent.momentum);
  const targetNumbers = targetData(wanted);
  const variables = taught.map(({ name }) => parameters.get(name)!);
  const loss = () => {
    const targets = tf.tensor(targetNumbers, wanted.output);
    return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(wanted.network(operations, upload()))), -1)));
  };
  return {
    // The read flushes the queue: the updates were put there before it.
    run: () => readAll([tf.tidy(() => optimiser.minimize(loss, true, variables))]),
    canonical: (outputs) => [...outputs],
    release: () => {
      optimiser.dispose();
      disposeAll(parameters.values());
    },
  };
}

function operationsOf(tf: Tf, parameters: ReadonlyMap<string, TfTensor>): Operations<TfTensor> {
  const linear = (x: TfTensor, weight: TfTensor, bias?: TfTensor) => {
    const [inputs, columns] = weight.shape as [number, number];
    const rows = x.shape.slice(0, -1);
    const flat = tf.reshape(x, [rows.reduce((a, b) => a * b, 1), inputs]);
    const y = tf.matMul(flat, weight);
    return tf.reshape(bias ? tf.add(y, bias) : y, [...rows, columns]);
  };
  const attention = (q: TfTensor, k: TfTensor, v: TfTensor, heads: number) => {
    const [images, tokens, width] = q.shape as [number, number, number];
    const inHeads = (x: TfTensor) =>
      tf.transpose(tf.reshape(x, [images, x.shape[1]!, heads, width / heads]), [0, 2, 1, 3]);
    const scores = tf.matMul(tf.mul(inHeads(q), 1 / Math.sqrt(width / heads)), inHeads(k), false, true);
    const y = tf.matMul(tf.softmax(scores), inHeads(v));
    return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [images, tokens, width]);
  };
  return {
    parameter: (name) => parameters.get(name)!,
    convolution: (x, weight, { stride, padding }) => tf.conv2d(x, weight, stride, padding),
    batchNorm(x, tensors, { training, residual, relu }) {
      const { mean, variance } = training ? tf.moments(x, [0, 1, 2]) : tensors;
      let y = tf.batchNorm(x, mean, variance, tensors.shift, tensors.scale, batchEpsilon);
      if (residual) y = tf.add(y, residual);
      return relu ? tf.relu(y) : y;
    },
    maxPool: (x) => tf.maxPool(x, 3, 2, 1),
    globalAverage: (x) => tf.mean(x, [1, 2]),
    linear,
    layerNorm(x, scale, shift) {
      const { mean, variance } = tf.moments(x, [x.shape.length - 1], true);
      const normalised = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, layerEpsilon)));
      return tf.add(tf.mul(normalised, scale), shift);
    },
    gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
    add: (a, b) => tf.add(a, b),
    attention,
    selfAttention(qkv, heads) {
      const [q, k, v] = tf.split(qkv, 3, 2);
      return attention(q!, k!, v!, heads);
    },
    patches(x, weight, bias) {
      const map = tf.add(tf.conv2d(x, weight, patch, 0), bias);
      return tf.reshape(map, [map.shape[0]!, map.shape[1]! * map.shape[2]!, map.shape[3]!]);
    },
    prependToken: (tokens, token) => tf.concat([tf.tile(token, [tokens.shape[0]!, 1, 1]), tokens], 1),
    firstToken(tokens) {
      const [images, , width] = tokens.shape as [number, number, number];
      return tf.reshape(tf.slice(tokens, [0, 0, 0], [images, 1, width]), [images, width]);
    },
  };
}
