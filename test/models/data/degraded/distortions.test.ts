import { describe, expect, test } from "bun:test";
import { Random } from "../../../../engine/random.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import {
  amountsOf,
  type DistortionName,
  distort,
  gaussianKernel,
  levelBelow,
  usualDistortions,
} from "../../../../models/data/degraded/distortions.ts";
import { ssim } from "../../../../models/metrics/ssim.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";

const [height, width] = [37, 29];

/** Something with edges, texture and all brightnesses. */
function picture(): Float32Array {
  return Float32Array.from({ length: height * width * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const value = 0.5 + 0.25 * Math.sin(0.9 * x + c) * Math.cos(0.7 * y) + (x > 14 ? 0.2 : -0.2);
    return Math.max(0, Math.min(1, value));
  });
}

async function degraded(name: DistortionName, level: number, seed = 5) {
  const device = await sharedDevice();
  const x = Tensor.from(device, picture(), [1, height, width, 3]);
  const y = await distort(x, name, level, seed);
  const similarity = ssim(x, y);
  const result = { data: await y.read(), similarity: await similarity.item(), shape: y.shape };
  for (const tensor of [x, y, similarity]) tensor.dispose();
  return result;
}

describe.each(usualDistortions)("%s", (name) => {
  test("keeps shape and range, gets worse with the level, and depends on the seed alone", async () => {
    const similarities: number[] = [];
    for (let level = 1; level <= 5; level++) {
      const { data, similarity, shape } = await degraded(name, level);
      expect(shape).toEqual([1, height, width, 3]);
      for (const value of data) expect(value).toBeWithin(-1e-6, 1 + 1e-6);
      similarities.push(similarity);
    }
    // The pattern is periodic: blocks and lines of nearly its period may bring it back for a level.
    const compared = ["pixelate", "motion-blur"].includes(name) ? [similarities[0]!, similarities[4]!] : similarities;
    compared.forEach((similarity, i) => {
      expect(similarity).toBeLessThanOrEqual((compared[i - 1] ?? 1) + 1e-4);
    });
    expect(similarities[4]).toBeLessThan(0.95);
    expect((await degraded(name, 3)).data).toEqual((await degraded(name, 3)).data);
  });
});

test("a Gaussian blur is the float64 correlation with replicated edges", async () => {
  const x = picture();
  const deviation = amountsOf("gaussian-blur")[1];
  const kernel = gaussianKernel(deviation);
  const side = Math.sqrt(kernel.length);
  expect(side).toBe(5);
  const reach = (side - 1) / 2;
  const at = (h: number, w: number, c: number) =>
    x[(Math.max(0, Math.min(height - 1, h)) * width + Math.max(0, Math.min(width - 1, w))) * 3 + c]!;
  const expected = Float64Array.from({ length: x.length }, (_, index) => {
    const [c, w, h] = [index % 3, Math.floor(index / 3) % width, Math.floor(index / 3 / width)];
    let sum = 0;
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++) {
        const weight = Math.exp(-((i - reach) ** 2 + (j - reach) ** 2) / (2 * deviation ** 2));
        sum += weight * at(h + i - reach, w + j - reach, c);
      }
    }
    return sum;
  });
  let total = 0;
  for (let i = 0; i < side * side; i++) {
    total += Math.exp(-(((i % side) - reach) ** 2 + (Math.floor(i / side) - reach) ** 2) / (2 * deviation ** 2));
  }
  const { data } = await degraded("gaussian-blur", 2);
  expect(
    relativeError(
      data,
      expected.map((value) => value / total),
    ),
  ).toBeLessThan(1e-5);
});

test("white noise on the GPU is Box-Muller of the host's random words", async () => {
  const device = await sharedDevice();
  const grey = Tensor.from(device, new Float32Array(300 * 3 * 4).fill(0.5), [1, 4, 300, 3]);
  const noisy = await distort(grey, "white-noise", 2, 1234);
  const data = await noisy.read();
  const variance = amountsOf("white-noise")[1];
  const random = new Random(1234, "white");
  const expected = Float64Array.from({ length: data.length }, () => {
    const [first, second] = [random.word(), random.word()];
    const u = ((first >>> 8) + 1) / 2 ** 24;
    const v = (second >>> 8) / 2 ** 24;
    return Math.max(
      0,
      Math.min(1, 0.5 + Math.sqrt(variance) * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v)),
    );
  });
  expect(relativeError(data, expected)).toBeLessThan(1e-4);
  const measured = data.reduce((sum, value) => sum + (value - 0.5) ** 2, 0) / data.length;
  expect(measured / variance).toBeWithin(0.9, 1.1);
  for (const tensor of [grey, noisy]) tensor.dispose();
});

test("impulse noise hits the stated share of samples, half of them black", async () => {
  const device = await sharedDevice();
  const grey = Tensor.from(device, new Float32Array(120_000).fill(0.5), [1, 200, 200, 3]);
  const noisy = await distort(grey, "impulse-noise", 5, 99);
  const data = await noisy.read();
  const black = data.filter((value) => value === 0).length;
  const white = data.filter((value) => value === 1).length;
  expect((black + white) / data.length / amountsOf("impulse-noise")[4]).toBeWithin(0.97, 1.03);
  expect(black / (black + white)).toBeWithin(0.46, 0.54);
  for (const tensor of [grey, noisy]) tensor.dispose();
});

test("curves pass through their points and a pixelated picture has blocks of one colour", async () => {
  const device = await sharedDevice();
  const ramp = Tensor.from(
    device,
    Float32Array.from({ length: 27 }, (_, i) => Math.floor(i / 3) / 8),
    [1, 3, 3, 3],
  );
  const dark = await distort(ramp, "darken", 3, 0);
  const data = await dark.read();
  expect(data[0]).toBeCloseTo(0, 6);
  expect(data[12]).toBeCloseTo(0.5 - amountsOf("darken")[2] / 2, 6);
  expect(data[26]).toBeCloseTo(1, 6);
  const { data: coarse } = await degraded("pixelate", 5);
  expect(new Set(coarse).size).toBeLessThan(new Set(picture()).size / 5);
  for (const tensor of [ramp, dark]) tensor.dispose();
});

test("a level or shape that does not exist is refused", async () => {
  const device = await sharedDevice();
  using x = Tensor.zeros(device, [1, 16, 16, 3]);
  await expect(distort(x, "darken", 6, 0)).rejects.toThrow("levels 1 to 5");
  using flat = Tensor.zeros(device, [16, 16, 3]);
  await expect(distort(flat, "darken", 1, 0)).rejects.toThrow("[1, H, W, 3]");
});

test("a step goes up from the level before, and of two directions from the one in its own", () => {
  const below = (name: "darken" | "mean-shift" | "contrast-change", set: "own" | "severity") =>
    [1, 2, 3, 4, 5].map((level) => levelBelow(name, level, set));
  expect(below("darken", "severity")).toEqual([0, 1, 2, 3, 4]);
  // 0, 0.08, −0.08, 0.15, −0.15 and 0, 0.15, −0.4, 0.3, −0.6
  expect(amountsOf("mean-shift", "severity").map(Math.sign)).toEqual([0, 1, -1, 1, -1]);
  expect(below("mean-shift", "severity")).toEqual([0, 1, 1, 2, 3]);
  expect(below("contrast-change", "severity")).toEqual([0, 1, 1, 2, 3]);
  expect(below("mean-shift", "own")).toEqual([0, 1, 2, 3, 4]);
  expect(below("contrast-change", "own")).toEqual([0, 1, 2, 3, 4]);
});
