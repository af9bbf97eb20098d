import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import type { Device } from "../../../../engine/device/device.ts";
import { openDevice } from "../../../../engine/device/open.ts";
import { multiply } from "../../../../engine/ops/arithmetic.ts";
import {
  centerCrop,
  cropAndFlip,
  flipHorizontal,
  normalise,
  resize,
  stack,
  unpackRgb,
} from "../../../../engine/ops/pictures/image.ts";
import { antialiased, cornersAligned, interpolated, transposed } from "../../../../engine/ops/pictures/resample.ts";
import { sum } from "../../../../engine/ops/reduce.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../../check.ts";
import { plainDevice, sharedDevice } from "../../device.ts";

const cases = goldenCases("image");

function run({ operation, options }: GoldenCase): Run {
  if (operation === "resize") return ([x]) => resize(x!, options);
  if (operation === "cropAndFlip") return ([x]) => cropAndFlip(x!, options.windows, options.height, options.width);
  if (operation === "normalise") return ([x]) => normalise(x!, options.mean, options.deviation);
  return (pictures) => stack(pictures);
}

const title = ({ operation, inputs, shape }: GoldenCase, i: number) =>
  `${i} ${operation} [${inputs[0]!.shape}] → [${shape}]`;

describe("as PyTorch", () => {
  cases.forEach((golden, i) => {
    test(title(golden, i), async () => checkGolden(await sharedDevice(), golden, run(golden), { f32: 1e-5 }));
  });
});

describe("cut into windows", () => {
  cases.forEach((golden, i) => {
    test(title(golden, i), async () => checkGolden(await plainDevice(), golden, run(golden), { f32: 1e-5 }));
  });

  test("resize of a picture that no window holds", async () => {
    const input = [{ shape: [1, 40, 32, 3], seed: 3 }];
    await checkDifferences(await plainDevice(), input, ([x]) => resize(x!, { height: 7, width: 4 }), {
      tolerance: 5e-3,
    });
  });

  test("normalise with windows that start between two repetitions of the channels", async () => {
    const device = await plainDevice();
    const { y } = device.scope(() => {
      const x = Tensor.from(device, new Float32Array(3 * 400).fill(1), [400, 3]);
      return { y: normalise(x, [1, 2, 3], [1, 2, 4]).read() };
    });
    const found = await y;
    expect(found.every((value, i) => value === [0, -0.5, -0.5][i % 3])).toBe(true);
  });
});

test("finite differences", async () => {
  const device = await sharedDevice();
  const input = [{ shape: [2, 6, 5, 3], seed: 1 }];
  for (const run of [
    ([x]) => resize(x!, { height: 4, width: 7 }),
    ([x]) => resize(x!, { height: 9, width: 2, antialias: false }),
    ([x]) => resize(x!, { height: 3, width: 9, alignCorners: true }),
    ([x]) => flipHorizontal(x!, [false, true]),
    ([x]) => centerCrop(x!, 3, 4),
    ([x]) => normalise(x!, [0.1, 0.2, 0.3], [0.5, 1, 2]),
  ] satisfies Run[]) {
    await checkDifferences(device, input, run, { tolerance: 5e-3 });
  }
});

const origin = { top: 0, left: 0 };

describe("unpackRgb", () => {
  const picture = (height: number, width: number) =>
    Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 37 + (i >> 3)) % 256);
  const check = async (device: Device, pixels: Uint8Array, height: number, width: number) => {
    const { shape, values } = device.scope(() => {
      const x = unpackRgb(device, pixels, height, width);
      return { shape: x.shape, values: x.read() };
    });
    expect(shape).toEqual([1, height, width, 3]);
    const found = await values;
    expect(found.length).toBe(pixels.length);
    found.forEach((value, i) => {
      expect(Math.abs(value - pixels[i]! / 255)).toBeLessThan(1e-7);
    });
  };

  test("every byte, also where the last word is not full", async () => {
    const device = await sharedDevice();
    for (const [height, width] of [
      [1, 1],
      [3, 5],
      [4, 4],
      [2, 3],
    ] as const)
      await check(device, picture(height, width), height, width);
  });

  test("a view into a larger buffer", async () => {
    await check(await sharedDevice(), picture(5, 4).subarray(6, 6 + 27), 3, 3);
  });

  test("cut into windows", async () => {
    await check(await plainDevice(), picture(17, 23), 17, 23);
  });
});

test("corners cannot be aligned by a filter that widens", async () => {
  const device = await sharedDevice();
  const x = Tensor.from(device, new Float32Array(12), [1, 2, 2, 3]);
  expect(() => resize(x, { height: 3, width: 3, alignCorners: true, antialias: true })).toThrow("`alignCorners`");
  x.dispose();
});

describe("resampling tables", () => {
  test("weights of an output sum to 1, and the transposed table holds the same numbers", () => {
    for (const make of [antialiased, interpolated, cornersAligned]) {
      for (const [inputs, outputs] of [
        [7, 3],
        [3, 7],
        [1024, 256],
        [5, 5],
        [1, 4],
        [9, 1],
      ] as const) {
        const map = make(inputs, outputs);
        const back = transposed(map);
        const dense = (m: typeof map) => {
          const found = new Map<string, number>();
          m.weights.forEach((row, i) => {
            row.forEach((weight, t) => {
              found.set(m === map ? `${i},${m.first[i]! + t}` : `${m.first[i]! + t},${i}`, weight);
            });
          });
          return found;
        };
        for (const row of map.weights) expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
        expect(back.weights.length).toBe(inputs);
        expect([...dense(back)].sort()).toEqual([...dense(map)].sort());
      }
    }
  });

  test("are made once and do not pile up", async () => {
    const device = await sharedDevice();
    const buffers = () => {
      device.scope(() => resize(Tensor.zeros(device, [1, 6, 6, 3]), { height: 5, width: 5 }).dispose());
      return device.memoryUse.usedBuffers;
    };
    expect(buffers()).toBe(buffers());
    for (let width = 1; width <= 70; width++) {
      device.scope(() => resize(Tensor.zeros(device, [1, 1, width, 4]), { height: 1, width: 100 }).dispose());
    }
    expect(device.memoryUse.usedBuffers).toBeLessThanOrEqual(buffers() + 2 * 64);
  });
});

test("centerCrop takes the middle", async () => {
  const device = await sharedDevice();
  const { y } = device.scope(() => ({
    y: centerCrop(Tensor.from(device, [0, 1, 2, 3, 4, 5], [1, 1, 6, 1]), 1, 3).read(),
  }));
  expect([...(await y)]).toEqual([1, 2, 3]);
});

test("says what does not fit", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const x = Tensor.zeros(device, [2, 4, 5, 3]);
    expect(() => unpackRgb(device, new Uint8Array(10), 2, 2)).toThrow("12 bytes, 10 were given");
    expect(() => resize(x, { height: 0, width: 3 })).toThrow(
      "resize: height must be a whole number from 1 to 2147483647, got 0",
    );
    expect(() => resize(Tensor.zeros(device, [4, 5, 3]), { height: 2, width: 3 })).toThrow("[N, H, W, C]");
    expect(() => cropAndFlip(x, [origin], 2, 2)).toThrow("1 windows for 2 pictures");
    expect(() => cropAndFlip(x, [origin, { top: 3, left: 0 }], 2, 2)).toThrow("picture 1: a 2x2 window at top 3");
    expect(() => cropAndFlip(x, [origin, { top: 0.5, left: 0 }], 2, 2)).toThrow("not inside 4x5");
    expect(() => centerCrop(x, 5, 5)).toThrow("not inside 4x5");
    expect(() => flipHorizontal(x, [true])).toThrow("1 flags for 2 pictures");
    expect(() => normalise(x, [1, 2], [1, 2])).toThrow("2 means and 2 deviations");
    expect(() => normalise(x, [0, 0, 0], [1, 0, 1])).toThrow("above 0");
    expect(() => stack([])).toThrow("stack: no tensors were given");
    expect(() => stack([x])).toThrow("[1, H, W, C]");
    expect(() => stack([Tensor.zeros(device, [1, 2, 2, 3]), Tensor.zeros(device, [1, 2, 3, 3])])).toThrow("[1,2,3,3]");
  });
});

test("a picture taller than a binding is resampled in bands, to the bits of one piece, forward and backward", async () => {
  const device = await sharedDevice();
  using small = await openDevice({ maximumBindingBytes: 4096 });
  const data = Float32Array.from({ length: 2 * 211 * 11 * 3 }, (_, i) => Math.sin(0.37 * i));
  const weights = Float32Array.from({ length: 2 * 90 * 7 * 3 }, (_, i) => Math.cos(0.73 * i));
  const bits = async (on: Device, antialias: boolean) => {
    const reads = on.scope(() => {
      const x = Tensor.from(on, data, [2, 211, 11, 3]);
      x.requiresGradient = true;
      // Both widths first, so that the order of the axes is the same on both devices.
      const y = resize(resize(x, { height: 211, width: 7, antialias }), { height: 90, width: 7, antialias });
      backward(sum(multiply(y, Tensor.from(on, weights, y.shape))));
      return { y: y.read(), gradient: x.gradient!.read() };
    });
    return [await reads.y, await reads.gradient];
  };
  for (const antialias of [true, false]) expect(await bits(small, antialias)).toEqual(await bits(device, antialias));
});
