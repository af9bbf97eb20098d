import type { Extents } from "./data.ts";

/** Per-channel tensors of a batch normalisation. */
export interface NormTensors<V> {
  readonly scale: V;
  readonly shift: V;
  readonly mean: V;
  readonly variance: V;
}

export interface AfterNorm<V> {
  /** Normalise with the statistics of the batch instead of the running ones. */
  readonly training: boolean;
  readonly residual?: V;
  readonly relu?: boolean;
}

/** ε of batch norms and of layer norms. */
export const batchEpsilon = 1e-5;
export const layerEpsilon = 1e-6;

/**
 * What an engine must offer. V is its own kind of array. Shapes are told for channels last; an engine that keeps
 * pictures as [N, C, H, W] does so throughout.
 */
export interface Operations<V> {
  /** A weight in the engine's order; `shape` is in file order: convolutions [O, C, KH, KW], matrices [out, in]. */
  parameter(name: string, shape: Extents): V;
  /** [N, H, W, C] → [N, H', W', O]. */
  convolution(x: V, weight: V, window: { readonly stride: number; readonly padding: number }): V;
  /** y = relu(normalised x + residual), the last two when asked for. */
  batchNorm(x: V, tensors: NormTensors<V>, then: AfterNorm<V>): V;
  /** Windows of 3 x 3, stride 2, padding 1; x is never negative. */
  maxPool(x: V): V;
  /** [N, H, W, C] → [N, C]. */
  globalAverage(x: V): V;
  /** […, in] → […, out]. */
  linear(x: V, weight: V, bias?: V): V;
  layerNorm(x: V, scale: V, shift: V): V;
  /** x · Φ(x) with the error function, not its tanh approximation. */
  gelu(x: V): V;
  /** Sum with broadcasting. */
  add(a: V, b: V): V;
  /** softmax(q·kᵀ/√D)·v per head; all [B, T, heads · D]. */
  attention(q: V, k: V, v: V, heads: number): V;
  /** The same for q, k and v beside each other: [B, T, 3 · heads · D] → [B, T, heads · D]. */
  selfAttention(qkv: V, heads: number): V;
  /** A convolution with the kernel (16) as stride: [N, H, W, 3] → [N, H/16 · W/16, O]. */
  patches(x: V, weight: V, bias: V): V;
  /** [N, T, W] with [1, 1, W] in front of every row → [N, 1 + T, W]. */
  prependToken(tokens: V, token: V): V;
  /** [N, T, W] → [N, W]. */
  firstToken(tokens: V): V;
}

/** Something to run: the same definition for every engine. */
export type Network = <V>(operations: Operations<V>, inputs: readonly V[]) => V;

/** Names and file-order shapes of the weights that a network asks for, in that order. */
export function parametersOf(network: Network): { name: string; shape: Extents }[] {
  const found: { name: string; shape: Extents }[] = [];
  const nothing = () => null;
  const operations: Operations<null> = {
    parameter(name, shape) {
      found.push({ name, shape });
      return null;
    },
    convolution: nothing,
    batchNorm: nothing,
    maxPool: nothing,
    globalAverage: nothing,
    linear: nothing,
    layerNorm: nothing,
    gelu: nothing,
    add: nothing,
    attention: nothing,
    selfAttention: nothing,
    patches: nothing,
    prependToken: nothing,
    firstToken: nothing,
  };
  network(operations, [null, null, null]);
  return found;
}

export interface Convolution {
  readonly kernel: number;
  readonly stride: number;
  readonly channels: number;
  readonly columns: number;
}

export function convolution(name: string, { kernel, stride, channels, columns }: Convolution): Network {
  return (operations, [x]) => {
    const weight = operations.parameter(name, [columns, channels, kernel, kernel]);
    return operations.convolution(x!, weight, { stride, padding: (kernel - 1) / 2 });
  };
}

export function product(inner: number, columns: number): Network {
  return (operations, [x]) => operations.linear(x!, operations.parameter("weight", [columns, inner]));
}

export function attention(heads: number): Network {
  return (operations, [q, k, v]) => operations.attention(q!, k!, v!, heads);
}

export function batchNorm(channels: number, training: boolean): Network {
  return (operations, [x]) => operations.batchNorm(x!, normTensors(operations, "bn", channels), { training });
}

function normTensors<V>(operations: Operations<V>, prefix: string, channels: number): NormTensors<V> {
  const vector = (name: string) => operations.parameter(`${prefix}.${name}`, [channels]);
  return {
    scale: vector("weight"),
    shift: vector("bias"),
    mean: vector("running_mean"),
    variance: vector("running_var"),
  };
}

/** The basic block of ResNet-18 (He et al. 2016, figure 2), names as torchvision's after `prefix`. */
export function basicBlock(prefix: string, channels: number, columns: number, stride: number, training: boolean) {
  return <V>(operations: Operations<V>, [x]: readonly V[]): V => {
    const part = (names: [string, string], from: V, shape: Convolution, then: Omit<AfterNorm<V>, "training">) => {
      const map = convolution(`${prefix}${names[0]}.weight`, shape)(operations, [from]);
      const tensors = normTensors(operations, `${prefix}${names[1]}`, shape.columns);
      return operations.batchNorm(map, tensors, { training, ...then });
    };
    const changes = stride !== 1 || channels !== columns;
    const shortcut = { kernel: 1, stride, channels, columns };
    const residual = changes ? part(["downsample.0", "downsample.1"], x!, shortcut, {}) : x!;
    const first = part(["conv1", "bn1"], x!, { kernel: 3, stride, channels, columns }, { relu: true });
    const inner = { kernel: 3, stride: 1, channels: columns, columns };
    return part(["conv2", "bn2"], first, inner, { relu: true, residual });
  };
}

const classes = 1000;

/** ResNet-18: pictures [N, 224, 224, 3] → logits [N, 1000]. */
export function resnet18(training: boolean): Network {
  return <V>(operations: Operations<V>, [x]: readonly V[]): V => {
    const stem = { kernel: 7, stride: 2, channels: 3, columns: 64 };
    const stemMap = convolution("conv1.weight", stem)(operations, [x!]);
    const stemNorm = normTensors(operations, "bn1", 64);
    let map = operations.maxPool(operations.batchNorm(stemMap, stemNorm, { training, relu: true }));
    for (let stage = 0, channels = 64; stage < 4; stage++) {
      const columns = 64 * 2 ** stage;
      for (let block = 0; block < 2; block++) {
        const stride = block === 0 && stage > 0 ? 2 : 1;
        map = basicBlock(`layer${stage + 1}.${block}.`, channels, columns, stride, training)(operations, [map]);
        channels = columns;
      }
    }
    const weight = operations.parameter("fc.weight", [classes, 512]);
    return operations.linear(operations.globalAverage(map), weight, operations.parameter("fc.bias", [classes]));
  };
}

/** A block of a vision transformer (Dosovitskiy et al. 2021, equations 2 and 3), names as timm's after `prefix`. */
export function vitBlock(prefix: string, width: number, heads: number): Network {
  return <V>(operations: Operations<V>, [x]: readonly V[]): V => {
    const { linear, norm } = vitLayers(operations, width);
    const qkv = linear(norm(x!, `${prefix}norm1`), `${prefix}attn.qkv`, width, 3 * width);
    const attended = operations.selfAttention(qkv, heads);
    const mixed = operations.add(x!, linear(attended, `${prefix}attn.proj`, width, width));
    const wide = linear(norm(mixed, `${prefix}norm2`), `${prefix}mlp.fc1`, width, 4 * width);
    return operations.add(mixed, linear(operations.gelu(wide), `${prefix}mlp.fc2`, 4 * width, width));
  };
}

function vitLayers<V>(operations: Operations<V>, width: number) {
  const vector = (name: string, length: number) => operations.parameter(name, [length]);
  return {
    norm: (x: V, name: string) =>
      operations.layerNorm(x, vector(`${name}.weight`, width), vector(`${name}.bias`, width)),
    linear: (x: V, name: string, inputs: number, outputs: number) =>
      operations.linear(x, operations.parameter(`${name}.weight`, [outputs, inputs]), vector(`${name}.bias`, outputs)),
  };
}

export const patch = 16;

/** A vision transformer with 12 blocks: pictures [N, 224, 224, 3] → logits [N, 1000]. */
export function vit(width: number, heads: number): Network {
  return <V>(operations: Operations<V>, [x]: readonly V[]): V => {
    const { linear, norm } = vitLayers(operations, width);
    const weight = operations.parameter("patch_embed.proj.weight", [width, 3, patch, patch]);
    const tokens = operations.patches(x!, weight, operations.parameter("patch_embed.proj.bias", [width]));
    const withClass = operations.prependToken(tokens, operations.parameter("cls_token", [1, 1, width]));
    let rows = operations.add(withClass, operations.parameter("pos_embed", [1, 197, width]));
    for (let i = 0; i < 12; i++) rows = vitBlock(`blocks.${i}.`, width, heads)(operations, [rows]);
    return linear(operations.firstToken(norm(rows, "norm")), "head", width, classes);
  };
}
