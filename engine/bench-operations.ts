import { type Benchmark, withTensors } from "./bench.ts";
import { add } from "./ops/arithmetic.ts";
import { attention } from "./ops/attention.ts";
import { greater, where } from "./ops/compare.ts";
import { conv2d } from "./ops/contraction/conv.ts";
import { convTranspose2d } from "./ops/contraction/conv-transpose.ts";
import { interpolate } from "./ops/pictures/interpolate.ts";
import { pad } from "./ops/rearrange.ts";
import { sin } from "./ops/unary.ts";
import { sizeOf } from "./tensor.ts";

const images = 8;
const map = [images, 56, 56, 64];
const bytes = 4 * sizeOf(map);
/** Multiply-adds of a 3x3 kernel of 64 channels on every pixel. */
const products = 2 * 9 * 64 * sizeOf(map);

/** What `acutance bench` measures of operations that pictures and foreign models use beside those of the networks here. */
export const operationBenchmarks: readonly Benchmark[] = [
  withTensors(`sine of ${map.join("x")}`, [map], { flops: sizeOf(map), bytes: 2 * bytes }, (x) => sin(x!)),
  withTensors(
    `where of ${map.join("x")}`,
    [map, map],
    { flops: sizeOf(map), bytes: 5 * bytes, dispatches: 2 },
    (x, y) => where(greater(x!, 0), x!, y!),
  ),
  withTensors(
    `sum with a column ${map.join("x")}`,
    [map, [images, 56, 56, 1]],
    { flops: sizeOf(map), bytes: 2 * bytes },
    (x, y) => add(x!, y!),
  ),
  withTensors(
    `dilated conv 3x3 64-64 at 56, batch ${images}`,
    [map, [3, 3, 64, 64]],
    { flops: products, bytes: 2 * bytes },
    (x, weight) => conv2d(x!, weight!, { padding: 2, dilation: 2 }),
  ),
  withTensors(
    `transposed conv 2x2/2 64-32 at 56, batch ${images}`,
    [map, [2, 2, 32, 64]],
    { flops: 2 * 4 * 32 * sizeOf(map), bytes: 3 * bytes },
    (x, weight) => convTranspose2d(x!, weight!, { stride: 2 }),
  ),
  withTensors(`nearest from 56 to 112, 64 channels, batch ${images}`, [map], { flops: 0, bytes: 5 * bytes }, (x) =>
    interpolate(x!, { height: 112, width: 112, filter: "nearest" }),
  ),
  withTensors(
    `reflected margins of 3 at 56, 64 channels, batch ${images}`,
    [map],
    { flops: 0, bytes: 4 * bytes },
    (x) => pad(x!, [0, 3, 3, 0], [0, 3, 3, 0], "reflect"),
  ),
  withTensors(
    `causal attention 197 tokens, 6 heads of 64 on 2, batch ${images}`,
    [
      [images, 197, 6, 64],
      [images, 197, 2, 64],
      [images, 197, 2, 64],
    ],
    { flops: 2 * images * 6 * 197 ** 2 * 64, bytes: 4 * images * 197 * 64 * (6 + 2 + 2 + 6) },
    (q, k, v) => attention(q!, k!, v!, { causal: true }),
  ),
];
