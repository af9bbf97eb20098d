import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import sharp from "sharp";
import { Tensor } from "../../../../engine/tensor.ts";
import {
  amountsOf,
  type DistortionName,
  type DistortOptions,
  distort,
  distortionNames,
  distortions,
  severityOf,
} from "../../../../models/data/degraded/distortions.ts";
import { fromBytes, toBytes } from "../../../../models/data/degraded/kinds/bytes.ts";
import { jpeg2000Bytes } from "../../../../models/data/degraded/kinds/jpeg2000.ts";
import { otsuThresholds } from "../../../../models/data/degraded/kinds/otsu.ts";
import { paletteOf } from "../../../../models/data/degraded/kinds/palette.ts";
import { sharedDevice } from "../../../engine/device.ts";

interface Kept {
  readonly mean: number;
  readonly square: number;
  readonly samples: readonly number[];
}

/** See test/golden/distortions.py. */
const golden: {
  seed: number;
  jpeg2000: { ratio: number; bytes: number; psnr: number }[];
  kinds: Record<string, Kept[]>;
} = JSON.parse(readFileSync(new URL("../../../golden/distortions.json", import.meta.url), "utf8"));

const [height, width, stride] = [37, 45, 46];

function pictureBytes(rows: number, columns: number): Uint8Array {
  return Uint8Array.from({ length: rows * columns * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % columns, Math.floor(i / 3 / columns)];
    const noise = Math.imul(y * 131 + x * 7 + c + 1, 2654435761) >>> 24;
    const texture = Math.floor((x * x + 3 * y * y + 17 * c * x) / 16) % 64;
    if (y < 4) return (Math.floor(x / 5) + c) % 3 === 0 ? 255 : 0;
    return Math.min(255, (x > 20 ? 140 : 50) + texture + Math.floor(noise / 8));
  });
}

const device = await sharedDevice();
const picture = fromBytes(device, pictureBytes(height, width), height, width).keep();
afterAll(() => picture.dispose());

async function degraded(
  name: DistortionName,
  level: number,
  options: DistortOptions = { levels: "kadid" },
  x = picture,
) {
  using y = await distort(x, name, level, golden.seed, options);
  expect(y.shape).toEqual(x.shape);
  return y.read();
}

const mean = (values: ArrayLike<number>, of = (value: number) => value) =>
  Array.from(values, of).reduce((sum, value) => sum + value, 0) / values.length;

const errorOf = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.sqrt(mean(Float64Array.from(a, (value, i) => (value - b[i]!) ** 2)));

/**
 * Largest error of a sample, 2e-6 where nothing is said: a* and b* are multiplied by up to 12, L* by 13, and what the adapter rounds with
 * them; and the cosine of normal numbers may be off by 2^-11 in WGSL, which moves samples by up to 1.1e-4 on SwiftShader.
 */
const tolerance: Partial<Record<DistortionName, number>> = {
  "color-diffusion": 2e-5,
  "color-saturation-2": 2e-5,
  "high-sharpen": 2e-5,
  "white-noise": 1e-4,
  "white-noise-color": 1e-4,
  "denoise-lite": 1e-4,
  jitter: 5e-4,
};

describe("values of NumPy, SciPy, scikit-image and Pillow in float64 at KADID-10k's levels:", () => {
  const compared = distortionNames.filter((name) => golden.kinds[name] && name !== "jpeg");
  test.each(compared)("%s", async (name) => {
    for (const [i, expected] of golden.kinds[name]!.entries()) {
      const found = await degraded(name, i + 1);
      const samples = found.filter((_, at) => at % stride === 0);
      const worst = Math.max(...samples.map((value, at) => Math.abs(value - expected.samples[at]!)));
      if (process.env.SHOW_ERRORS) console.log(name, i + 1, worst);
      expect(worst).toBeLessThan(tolerance[name] ?? 2e-6);
      expect(mean(found)).toBeCloseTo(expected.mean, 5);
      expect(mean(found, (value) => value ** 2)).toBeCloseTo(expected.square, 5);
    }
  });
});

test("jpeg is Pillow's of that quality but for the rounding of the two libraries", async () => {
  for (const [i, expected] of golden.kinds.jpeg!.entries()) {
    const found = await degraded("jpeg", i + 1);
    const samples = found.filter((_, at) => at % stride === 0);
    const off = samples.map((value, at) => Math.abs(value - expected.samples[at]!));
    if (process.env.SHOW_ERRORS) console.log("jpeg", i + 1, Math.max(...off), mean(off));
    expect(mean(off)).toBeLessThan(0.5 / 255);
    expect(mean(found)).toBeWithin(expected.mean - 1e-3, expected.mean + 1e-3);
  }
});

test("jpeg2000 has as many bytes as Pillow's OpenJPEG at that ratio, and its PSNR", async () => {
  const [rows, columns] = [151, 201];
  const bytes = pictureBytes(rows, columns);
  expect(golden.jpeg2000.map(({ ratio }) => ratio)).toEqual([...amountsOf("jpeg2000", "kadid")]);
  for (const { ratio, bytes: theirs, psnr } of golden.jpeg2000) {
    const { pixels, bytes: ours } = await jpeg2000Bytes(bytes, columns, rows, ratio);
    const found = 10 * Math.log10(255 ** 2 / errorOf(pixels, bytes) ** 2);
    if (process.env.SHOW_ERRORS) console.log("jpeg2000", ratio, ours, theirs, found, psnr);
    expect(ours).toBe(theirs);
    expect(Math.abs(found - psnr)).toBeLessThan(0.01);
    using x = fromBytes(device, bytes, rows, columns);
    using y = await distort(x, "jpeg2000", 1 + amountsOf("jpeg2000").indexOf(ratio), 0, { levels: "kadid" });
    expect(await toBytes(y)).toEqual(pixels);
  }
});

describe.each(distortionNames)("%s", (name) => {
  test.each(["own", "severity"] as const)(
    "%s levels keep the range, get worse, and depend on the seed alone",
    async (levels) => {
      const clean = await picture.read();
      const errors: number[] = [];
      for (let level = 1; level <= 5; level++) {
        const found = await degraded(name, level, { levels });
        expect(Math.min(...found)).toBeGreaterThanOrEqual(-1e-6);
        expect(Math.max(...found)).toBeLessThanOrEqual(1 + 1e-6);
        expect(await degraded(name, level, { levels })).toEqual(found);
        errors.push(errorOf(found, clean));
      }
      // One square of color-block covers most of so small a picture.
      if (name !== "color-block") expect(errors[4]!).toBeGreaterThan(errors[0]!);
      expect(errors[4]!).toBeGreaterThan(0.02);
      // What changes nothing is never at a level of its own.
      if (levels === "own") expect(errors[0]!).toBeGreaterThan(1e-3);
    },
  );

  test("a picture of a single pixel, of one row and of one level comes out with its shape", async () => {
    for (const [rows, columns] of [
      [1, 1],
      [1, 40],
      [20, 3],
    ] as const) {
      using x = Tensor.from(device, new Float32Array(rows * columns * 3).fill(0.25), [1, rows, columns, 3]);
      for (const level of [1, 5]) {
        for (const stretch of [false, true]) {
          const found = await degraded(name, level, { levels: "kadid", stretch }, x);
          expect(found.every((value) => value >= -1e-6 && value <= 1 + 1e-6)).toBe(true);
        }
      }
    }
  });
});

test("levels of KADID-10k from the mildest on: the third of mean shift and contrast first, and none where nothing changes", () => {
  expect(amountsOf("mean-shift", "kadid")).toEqual([0.15, 0.08, 0, -0.08, -0.15]);
  expect(amountsOf("mean-shift", "severity")).toEqual([0, 0.08, -0.08, 0.15, -0.15]);
  expect(amountsOf("contrast-change", "severity")).toEqual([0, 0.15, -0.4, 0.3, -0.6]);
  expect([1, 2, 3, 4, 5].map((level) => severityOf("mean-shift", level))).toEqual([4, 2, 0, 3, 5]);
  expect([1, 2, 3, 4, 5].map((level) => severityOf("contrast-change", level))).toEqual([4, 2, 1, 3, 5]);
  expect([1, 2, 3, 4, 5].map((level) => severityOf("jpeg", level))).toEqual([1, 2, 3, 4, 5]);
});

test("levels that are said to change nothing do not, and no others", async () => {
  const clean = await toBytes(picture);
  for (const name of distortionNames) {
    for (let level = 1; level <= 5; level++) {
      using y = await distort(picture, name, level, 1, { levels: "kadid" });
      const changed = (await toBytes(y)).some((value, i) => value !== clean[i]);
      expect([name, level, changed]).toEqual([name, level, severityOf(name, level) > 0]);
    }
  }
});

test("numbers are KADID-10k's", () => {
  expect(distortionNames.map((name) => distortions[name].number)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
});

test("stretch takes the picture and what comes of it to [0, 1], and undoes a part of mean shift", async () => {
  const levels = Float32Array.from({ length: 300 }, (_, i) => 0.2 + (0.5 * ((i * 37) % 300)) / 299);
  using x = Tensor.from(device, levels, [1, 10, 10, 3]);
  const found = await degraded("mean-shift", 1, { levels: "kadid", stretch: true }, x);
  const expected = levels.map((value) => (Math.min(1, (value - 0.2) / 0.5 + 0.15) - 0.15) / 0.85);
  expect(errorOf(found, expected)).toBeLessThan(1e-6);
});

test("patches are copied one after the other: later ones take what earlier ones have left", async () => {
  const [rows, columns] = [40, 40];
  using x = Tensor.from(
    device,
    Float32Array.from({ length: rows * columns * 3 }, (_, i) => (i % 251) / 250),
    [1, rows, columns, 3],
  );
  const runs = await Promise.all(
    Array.from({ length: 3 }, () => degraded("non-eccentricity-patch", 5, { levels: "kadid" }, x)),
  );
  for (const run of runs) expect(run).toEqual(runs[0]!);
});

test("a palette has no more colours than asked for, and all of a picture that has few", async () => {
  using y = await distort(picture, "color-quantization", 5, 0, { levels: "kadid" });
  const bytes = await toBytes(y);
  const colours = new Set(Array.from({ length: bytes.length / 3 }, (_, i) => bytes.slice(3 * i, 3 * i + 3).join()));
  expect(colours.size).toBeWithin(2, 9);
  const two = paletteOf(Uint8Array.of(0, 0, 0, 255, 255, 255, 0, 0, 0), 8);
  expect(two).toEqual([
    [0, 0, 0],
    [255, 255, 255],
  ]);
  const seen = await sharp(bytes, { raw: { width, height, channels: 3 } }).stats();
  expect(seen.channels.length).toBe(3);
});

test("thresholds of Otsu part levels that lie apart, as many as there are", () => {
  const histogram = new Array(256).fill(0);
  for (const level of [10, 11, 12, 100, 101, 200]) histogram[level] = 5;
  expect(otsuThresholds(histogram, 2)).toEqual([12, 101]);
  expect(otsuThresholds(histogram, 20)).toEqual([10, 11, 12, 100, 101]);
  expect(otsuThresholds(new Array(256).fill(0).with(9, 3), 4)).toEqual([]);
});

test("a kind, level, seed, level set, option or shape that does not exist is refused with its value", async () => {
  const call = (...args: unknown[]) => (distort as (...args: unknown[]) => Promise<Tensor>)(picture, ...args);
  await expect(call("blurriness", 1, 0)).rejects.toThrow('"blurriness"; choose of gaussian-blur, lens-blur');
  for (const level of [0, 6, 1.5, Number.NaN]) await expect(call("jpeg", level, 0)).rejects.toThrow(`level ${level};`);
  for (const seed of [-1, 2 ** 32, 0.5, Number.NaN]) await expect(call("jpeg", 1, seed)).rejects.toThrow(`got ${seed}`);
  await expect(call("jpeg", 1, 0, { levels: "tid" })).rejects.toThrow('"tid"; choose of own, kadid, severity');
  await expect(call("jpeg", 1, 0, { strech: true })).rejects.toThrow("strech");
  using grey = Tensor.zeros(device, [1, 8, 8, 1]);
  await expect(distort(grey, "jpeg", 1, 0)).rejects.toThrow("found f32 [1,8,8,1]");
});
