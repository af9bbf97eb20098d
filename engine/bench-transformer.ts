import { withoutGradients } from "./autograd.ts";
import { type Benchmark, withTensors } from "./bench.ts";
import { selfAttention } from "./ops/attention.ts";
import { batchedMatmul } from "./ops/contraction/batched.ts";
import { linear } from "./ops/contraction/matmul.ts";
import { groupNorm, layerNorm } from "./ops/layer-norm.ts";
import { batchNorm } from "./ops/norm.ts";
import { sizeOf, type Tensor } from "./tensor.ts";
import type { Cost } from "./tune/binding-roof.ts";

const images = 8;

/** An operation alone, and with its backward pass. Costs are of one and of the other. */
function bothWays(
  name: string,
  shapes: readonly (readonly number[])[],
  output: readonly number[],
  forward: Cost,
  backward: Cost,
  operation: (...inputs: Tensor[]) => Tensor,
): Benchmark[] {
  const total = {
    flops: forward.flops + backward.flops,
    bytes: forward.bytes + backward.bytes,
    dispatches: (forward.dispatches ?? 1) + (backward.dispatches ?? 1),
  };
  return [
    withTensors(name, shapes, forward, operation),
    withTensors("  forward and backward", [...shapes, output], total, (...tensors) => {
      const inputs = tensors.slice(0, -1);
      for (const input of inputs) input.requiresGradient = true;
      const y = operation(...inputs);
      withoutGradients(() => y.node!.gradient(tensors.at(-1)!));
    }),
  ];
}

/** Attention of a ViT: `heads` heads of 64 numbers over 196 patches and the class token. */
function attentionBenchmarks(heads: number): Benchmark[] {
  const [tokens, dimensions] = [197, 64];
  const qkv = [images, tokens, 3, heads, dimensions];
  const y = [images, tokens, heads, dimensions];
  const product = 2 * images * heads * tokens ** 2 * dimensions;
  const sums = images * heads * tokens;
  // Forward two products, backward five: the scores again, dP, and one for each of q, k and v.
  return bothWays(
    `attention ${tokens} tokens, ${heads} heads of ${dimensions}, batch ${images}`,
    [qkv],
    y,
    { flops: 2 * product, bytes: 4 * (sizeOf(qkv) + sizeOf(y) + sums) },
    { flops: 5 * product, bytes: 4 * (2 * sizeOf(qkv) + 2 * sizeOf(y) + sums), dispatches: 3 },
    (x) => selfAttention(x!),
  );
}

/** The matrix products of a ViT-Tiny block: name, inner extent, columns. */
const vitProducts = [
  ["qkv", 192, 576],
  ["projection", 192, 192],
  ["MLP, expand", 192, 768],
  ["MLP, contract", 768, 192],
] as const;

function linearBenchmarks([name, inner, columns]: (typeof vitProducts)[number]): Benchmark[] {
  const rows = images * 197;
  const shapes = [[rows, inner], [inner, columns], [columns]];
  const bytes = 4 * (rows * inner + inner * columns + columns + rows * columns);
  const flops = 2 * rows * inner * columns;
  return bothWays(
    `ViT-Tiny ${name}, linear ${rows}x${inner}x${columns}`,
    shapes,
    [rows, columns],
    { flops, bytes },
    // x and dy are read, dx, dweight and dbias written, each product reads the weight or x.
    { flops: 2 * flops, bytes: 2 * bytes, dispatches: 2 },
    (x, weight, bias) => linear(x!, weight!, bias!),
  );
}

function batchedBenchmark(rows: number, inner: number, columns: number): Benchmark[] {
  const [a, b, y] = [
    [images, rows, inner],
    [images, inner, columns],
    [images, rows, columns],
  ];
  const cost = { flops: 2 * sizeOf(a) * columns, bytes: 4 * (sizeOf(a) + sizeOf(b) + sizeOf(y)) };
  const back = { flops: 2 * cost.flops, bytes: 2 * cost.bytes, dispatches: 2 };
  const name = `batched matmul ${images} of ${rows}x${inner}x${columns}`;
  return bothWays(name, [a, b], y, cost, back, (left, right) => batchedMatmul(left!, right!));
}

function normBenchmarks(): Benchmark[] {
  const tokens = [images, 197, 192];
  const map = [images, 56, 56, 64];
  // Mean, variance and the affine map are about 8 operations a number, the gradient about 14: memory binds.
  const costs = (shape: readonly number[]) =>
    [
      { flops: 8 * sizeOf(shape), bytes: 8 * sizeOf(shape) },
      { flops: 14 * sizeOf(shape), bytes: 12 * sizeOf(shape) },
    ] as const;
  return [
    ...bothWays(`layer norm ${tokens.join("x")}`, [tokens, [192], [192]], tokens, ...costs(tokens), (x, scale, shift) =>
      layerNorm(x!, scale!, shift!),
    ),
    ...bothWays(`group norm of 8 groups ${map.join("x")}`, [map, [64], [64]], map, ...costs(map), (x, scale, shift) =>
      groupNorm(x!, 8, scale!, shift!),
    ),
    ...bothWays(
      `batch norm in training ${map.join("x")}`,
      [map, [64], [64], [64], [64]],
      map,
      ...costs(map),
      (x, scale, shift, runningMean, runningVariance) =>
        batchNorm(
          x!,
          { scale: scale!, shift: shift!, runningMean: runningMean!, runningVariance: runningVariance! },
          { training: true },
        ),
    ),
  ];
}

/** What `acutance bench` measures of attention, its matrix products and norms. */
export const transformerBenchmarks: readonly Benchmark[] = [
  ...attentionBenchmarks(3),
  ...attentionBenchmarks(6),
  ...vitProducts.flatMap(linearBenchmarks),
  ...batchedBenchmark(512, 49, 512),
  ...normBenchmarks(),
];
