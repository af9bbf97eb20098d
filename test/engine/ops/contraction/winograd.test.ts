import { describe, expect, test } from "bun:test";
import { record } from "../../../../engine/autograd.ts";
import type { Device } from "../../../../engine/device/device.ts";
import { openDevice } from "../../../../engine/device/open.ts";
import { cast } from "../../../../engine/ops/cast.ts";
import type { Pair } from "../../../../engine/ops/contraction/contract.ts";
import { conv2d, conv2dInputGradient } from "../../../../engine/ops/contraction/conv.ts";
import { convNorm } from "../../../../engine/ops/contraction/conv-norm.ts";
import { type TileSize, tileSize, winograd } from "../../../../engine/ops/contraction/winograd.ts";
import { Random } from "../../../../engine/random.ts";
import { type Shape, sizeOf, Tensor } from "../../../../engine/tensor.ts";
import { checkGolden, formula, type GoldenCase, goldenCases, relativeError } from "../../check.ts";
import { sharedDevice } from "../../device.ts";

/** A convolution with an input gradient by tiles of one size, whatever its shape. */
function byTiles(size: TileSize, x: Tensor, weight: Tensor, bias: Tensor, padding: Pair): Tensor {
  const [images, height, width, channels] = x.shape as [number, number, number, number];
  const columns = weight.shape[3]!;
  const input: Pair = [height, width];
  const output: Pair = [height + 2 * padding[0] - 2, width + 2 * padding[1] - 2];
  const y = Tensor.like(x, [images, ...output, columns]);
  const offset: Pair = [-padding[0], -padding[1]];
  x.device.scope(() => winograd(size, x, weight, y, { images, input, channels, output, columns, offset }, { bias }));
  return record("winograd", [x, weight, bias], y, (dy) => {
    const dx = Tensor.like(dy, x.shape);
    const back: Pair = [padding[0] - 2, padding[1] - 2];
    const shape = { images, input: output, channels: columns, output: input, columns: channels, offset: back };
    x.device.scope(() => winograd(size, dy, weight, dx, shape, { turned: true }));
    return [dx, undefined, undefined];
  });
}

const title = ({ inputs, options }: GoldenCase) =>
  `[${inputs[0]!.shape}] to ${inputs[1]!.shape[3]} channels, padding ${options.padding}`;

/** Plain kernels, and bindings in which the tiles of these shapes need several pieces. */
const smallBindings = openDevice({ withoutFeatures: ["subgroups", "shader-f16"], maximumBindingBytes: 2 ** 15 });

for (const size of [4, 6] as const) {
  describe(`tiles of ${size} x ${size}, as PyTorch`, () => {
    for (const golden of goldenCases("winograd")) {
      const { padding } = golden.options;
      const run = ([x, weight, bias]: Tensor[]) => byTiles(size, x!, weight!, bias!, padding);
      test(title(golden), async () => checkGolden(await sharedDevice(), golden, run, { f32: 1e-5 }));
      const largest = 4 * size ** 2 * golden.inputs[1]!.shape[2]! * golden.inputs[1]!.shape[3]!;
      if (largest > 2 ** 15) continue;
      test(`${title(golden)}, in pieces`, async () => checkGolden(await smallBindings, golden, run, { f32: 1e-5 }));
    }
  });
}

/** The same work on a device that may use Winograd's method and on one that may not. */
const direct = openDevice({ winograd: false });
async function both(work: (device: Device) => Tensor) {
  const read = async (device: Device) => (await device.scope(() => ({ read: work(device).read() }))).read;
  return { found: await read(await sharedDevice()), expected: await read(await direct) };
}

/** Uniform numbers in [low, low + 1): sums of the formula's sines cancel, and errors relative to them say little. */
function tensor(device: Device, shape: number[], seed: number, low = -0.5): Tensor {
  const random = new Random(seed, "winograd");
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random.word() / 2 ** 32 + low);
  return Tensor.from(device, data, shape);
}

describe("where it is chosen", () => {
  const ones: Pair = [1, 1];
  const threes: Pair = [3, 3];
  const square = (side: number, channels: number, columns: number) => ({
    kernel: threes,
    stride: ones,
    output: [side, side] as Pair,
    channels,
    columns,
  });

  test("by sides and channels, where the sum over taps takes longer", async () => {
    const device = await sharedDevice();
    expect(tileSize(device, square(56, 64, 64))).toBe(6);
    expect(tileSize(device, square(28, 128, 128))).toBe(6);
    expect(tileSize(device, square(14, 256, 256))).toBe(6);
    expect(tileSize(device, square(7, 512, 512))).toBe(4);
    expect(tileSize(device, square(14, 64, 64))).toBeUndefined();
    expect(tileSize(device, square(224, 4, 64))).toBeUndefined();
    expect(tileSize(device, square(4, 512, 512))).toBeUndefined();
    expect(tileSize(device, { ...square(56, 64, 64), stride: [1, 2] })).toBeUndefined();
    expect(tileSize(device, { ...square(56, 64, 64), kernel: [3, 5] })).toBeUndefined();
  });

  test("not where the transformed weight does not fit a binding, nor where it was not wanted", async () => {
    expect(tileSize(await smallBindings, square(28, 128, 128))).toBeUndefined();
    expect(tileSize(await direct, square(28, 128, 128))).toBeUndefined();
  });

  const works: [string, (device: Device) => Tensor][] = [
    ["conv2d", (d) => conv2d(tensor(d, [2, 28, 27, 48], 1), tensor(d, [3, 3, 48, 64], 2), { padding: 1 })],
    // Filled up to 52 and 48 channels.
    ["conv2d of 50 to 47 channels", (d) => conv2d(tensor(d, [1, 30, 30, 50], 1), tensor(d, [3, 3, 50, 47], 2))],
    [
      "the input gradient",
      (d) => {
        const x: Shape = [2, 28, 27, 48];
        return conv2dInputGradient(tensor(d, [2, 28, 27, 64], 1), tensor(d, [3, 3, 48, 64], 2), x, { padding: 1 });
      },
    ],
    [
      "convNorm",
      (d) => {
        const state = {
          scale: tensor(d, [64], 3),
          shift: tensor(d, [64], 4),
          runningMean: tensor(d, [64], 5),
          runningVariance: tensor(d, [64], 6, 0.5),
        };
        const options = { training: false, padding: 1, activation: "relu", bias: tensor(d, [64], 7) } as const;
        return convNorm(tensor(d, [2, 28, 27, 48], 1), tensor(d, [3, 3, 48, 64], 2), state, options);
      },
    ],
  ];
  for (const [name, work] of works) {
    test(`${name} gives the numbers of the sum over taps, in other bits`, async () => {
      const { found, expected } = await both(work);
      expect(relativeError(found, expected)).toBeLessThan(1e-5);
      expect(found).not.toEqual(expected);
    });
  }

  test("f16 is stored, sums are f32", async () => {
    if (!(await sharedDevice()).features.has("shader-f16")) return;
    const { found, expected } = await both((d) => {
      const x = cast(tensor(d, [2, 28, 27, 48], 1), "f16");
      return conv2d(x, cast(tensor(d, [3, 3, 48, 64], 2), "f16"), { padding: 1 });
    });
    expect(relativeError(found, expected)).toBeLessThan(1e-3);
  });

  test("a picture has the same bits alone and in a batch", async () => {
    const device = await sharedDevice();
    const data = formula({ shape: [9, 28, 28, 64], seed: 1 });
    const one = data.length / 9;
    const reads = device.scope(() => {
      const weight = tensor(device, [3, 3, 64, 64], 2);
      const of = (from: number, count: number) =>
        conv2d(Tensor.from(device, data.slice(from * one, (from + count) * one), [count, 28, 28, 64]), weight).read();
      return { alone: of(8, 1), batch: of(0, 9) };
    });
    const alone = await reads.alone;
    expect((await reads.batch).slice(-alone.length)).toEqual(alone);
  });
});

test("a replay has the bits of a recording, a rehearsal its peak", async () => {
  using device = await openDevice();
  const [x, weight] = [tensor(device, [5, 28, 28, 64], 1).keep(), tensor(device, [3, 3, 64, 64], 2).keep()];
  const work = () => conv2d(x, weight, { padding: 1 });
  const rehearsed = device.rehearse(() => device.scope(() => void work()));
  device.memory.resetPeak();
  device.scope(() => void work());
  expect(device.memoryReport().peakBytes).toBe(rehearsed.peakBytes);
  using plan = device.trace(work);
  x.write(formula({ shape: [...x.shape], seed: 5 }));
  plan.replay();
  const expected = await device.scope(() => ({ read: work().read() })).read;
  expect(await plan.result.read()).toEqual(expected);
});
