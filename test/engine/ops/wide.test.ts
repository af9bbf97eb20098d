import { describe, expect, test } from "bun:test";
import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { isWide } from "../../../engine/device/subgroups.ts";
import { nearestNeighbours } from "../../../engine/graph/neighbours.ts";
import { attention, selfAttention } from "../../../engine/ops/attention.ts";
import { conv2d } from "../../../engine/ops/contraction/conv.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { formula } from "../check.ts";
import { sharedDevice } from "../device.ts";

const narrow = await sharedDevice();
/** This adapter, taken for a GPU: its operations run what GPUs run. */
const wide = await openDevice();
Object.assign(wide, { subgroups: { min: 64, max: 64 } });

const make = (device: Device, shape: number[], seed: number) => Tensor.from(device, formula({ shape, seed }), shape);

/** The output of an operation and its gradients, as bits. */
async function bitsOf(device: Device, run: (device: Device) => readonly Tensor[]): Promise<number[][]> {
  const reads = device.scope(() => ({
    all: run(device).map((tensor) => (tensor.isFloat ? tensor.read() : tensor.readIndices())),
  }));
  const all = await Promise.all(reads.all);
  return all.map((values) => Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length)));
}

/** y and the gradients of its inputs for a dy. */
function withGradients(operation: (inputs: readonly Tensor[]) => Tensor, shapes: readonly number[][]) {
  return (device: Device) => {
    const inputs = shapes.map((shape, i) => make(device, shape, i + 1));
    for (const input of inputs) input.requiresGradient = true;
    const y = operation(inputs);
    const gradients = withoutGradients(() => y.node!.gradient(make(device, [...y.shape], 9)));
    return [y, ...gradients.filter((gradient) => gradient !== undefined)];
  };
}

// Rows of two widths alone: each has kernels of its own, which take long to compile.
const attentions = [
  { batch: 2, queries: 45, keys: 45, heads: 2, dimensions: 72 },
  { batch: 1, queries: 7, keys: 100, heads: 1, dimensions: 20 },
  { batch: 1, queries: 70, keys: 3, heads: 3, dimensions: 20 },
];

const cases: readonly (readonly [string, (device: Device) => readonly Tensor[]])[] = [
  ...attentions.map(({ batch, queries, keys, heads, dimensions }) => {
    const row = (tokens: number) => [batch, tokens, heads, dimensions];
    return [
      `attention of ${queries} queries and ${keys} keys of ${dimensions} dimensions`,
      withGradients(([q, k, v]) => attention(q!, k!, v!), [row(queries), row(keys), row(keys)]),
    ] as const;
  }),
  ["self-attention", withGradients(([x]) => selfAttention(x!), [[2, 41, 3, 2, 20]])],
  [
    "attention whose scores reach far",
    withGradients(
      ([q, k, v]) => attention(q!, k!, v!, { scale: 300 }),
      [
        [1, 40, 1, 20],
        [1, 90, 1, 20],
        [1, 90, 1, 20],
      ],
    ),
  ],
  [
    "matmul",
    withGradients(
      ([a, b]) => matmul(a!, b!),
      [
        [70, 52],
        [52, 90],
      ],
    ),
  ],
  [
    "matmul of one row",
    withGradients(
      ([a, b]) => matmul(a!, b!),
      [
        [1, 300],
        [300, 600],
      ],
    ),
  ],
  [
    "conv2d",
    withGradients(
      ([x, weight]) => conv2d(x!, weight!, { stride: 2, padding: 1 }),
      [
        [2, 19, 13, 12],
        [3, 3, 12, 24],
      ],
    ),
  ],
  ["softmax of long rows", withGradients(([x]) => softmax(x!), [[3, 1000]])],
  [
    "nearest neighbours",
    (device) => {
      const { indices, values } = nearestNeighbours(make(device, [150, 24], 1), { k: 7 });
      return [indices, values];
    },
  ],
];

describe("a device with wide subgroups gives the bits of this adapter", () => {
  test("it is taken for one", () => {
    expect([isWide(narrow), isWide(wide)]).toEqual([false, true]);
  });

  for (const [name, run] of cases) {
    test(name, async () => {
      const [expected, found] = [await bitsOf(narrow, run), await bitsOf(wide, run)];
      for (const [i, words] of found.entries()) {
        expect(words.length).toBeGreaterThan(0);
        expect([name, i, words]).toEqual([name, i, expected[i]!]);
      }
      // Software drivers compile what is made for GPUs for a minute where other work is beside.
    }, 400_000);
  }
});
