import { describe, expect, test } from "bun:test";
import { centerCrop } from "../../../engine/ops/pictures/image.ts";
import { Random } from "../../../engine/random.ts";
import { type Picture, upload } from "../../../models/data/index.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import {
  coveredSize,
  coveringTiles,
  cutCrops,
  evaluationViews,
  gridPlaces,
  placeAt,
  uploadView,
} from "../../../models/views/crops.ts";
import { sharedDevice } from "../../engine/device.ts";

/** Every pixel tells where it is. */
function picture(width: number, height: number): Picture {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return [x, y, (x + y) % 7][i % 3]!;
  });
  return { width, height, pixels };
}

const sizes = [
  [64, 64],
  [65, 64],
  [200, 90],
  [40, 500],
  [4000, 3000],
  [12_000, 40],
  [33, 32],
] as const;

describe("tiles that cover a picture", () => {
  test.each(sizes)("%d x %d: every pixel lies in one, none outside, at most so many", (width, height) => {
    for (const most of [1, 2, 3, 7, 32, 1000]) {
      const size = coveredSize({ width, height }, 32, most);
      expect(size.rows * size.columns).toBeLessThanOrEqual(most);
      const places = gridPlaces(size, 32, size);
      for (const [starts, length] of [
        [places.map(({ left }) => left), size.width],
        [places.map(({ top }) => top), size.height],
      ] as const) {
        const sorted = [...new Set(starts)].sort((a, b) => a - b);
        expect(sorted[0]).toBe(0);
        expect(sorted.at(-1)! + 32).toBe(length);
        sorted.forEach((start, i) => {
          if (i > 0) expect(start - sorted[i - 1]!).toBeLessThanOrEqual(32);
        });
      }
    }
  });

  test("a picture is reduced only when it must be, and then by no more", () => {
    expect(coveredSize({ width: 96, height: 64 }, 32, 6)).toEqual({ width: 96, height: 64, rows: 2, columns: 3 });
    const random = new Random(3, "sizes");
    for (let i = 0; i < 200; i++) {
      const [width, height, most] = [100 + random.integer(5000), 100 + random.integer(5000), 1 + random.integer(40)];
      const size = coveredSize({ width, height }, 32, most);
      if (size.width === width) continue;
      const tiles = (share: number) => Math.ceil((share * width) / 32) * Math.ceil((share * height) / 32);
      const found = size.width > 32 && size.height > 32 ? Math.max(size.width / width, size.height / height) : 0;
      if (found === 0) continue;
      // By trial: of shares in steps of a thousandth, the largest that is covered.
      let largest = 0;
      for (let share = 1; share <= 1000; share++) if (tiles(share / 1000) <= most) largest = share / 1000;
      expect(found).toBeGreaterThan(largest - 0.002);
      expect(tiles(found - 1 / Math.min(width, height))).toBeLessThanOrEqual(most);
    }
  });

  test("are cut out of the picture as they are, or of the reduced one", async () => {
    const views = await coveringTiles(picture(80, 50), 32, 100);
    const corners = views.map(({ picture: { pixels } }) => [pixels[0], pixels[1]]);
    expect(corners).toEqual([
      [0, 0],
      [24, 0],
      [48, 0],
      [0, 18],
      [24, 18],
      [48, 18],
    ]);
    for (const { picture: part, side } of views) {
      expect([part.width, part.height, part.pixels.length, side]).toEqual([32, 32, 32 * 32 * 3, undefined]);
      const at = (31 * 32 + 30) * 3;
      expect([part.pixels[at]! - part.pixels[0]!, part.pixels[at + 1]! - part.pixels[1]!]).toEqual([30, 31]);
    }
    const fewer = await coveringTiles(picture(200, 100), 32, 4);
    expect(fewer.length).toBeLessThanOrEqual(4);
    // The last pixel of the last tile is near the picture's own.
    const last = fewer.at(-1)!.picture.pixels.subarray(-3);
    expect(Math.abs(last[0]! - 199)).toBeLessThan(5);
    expect(Math.abs(last[1]! - 99)).toBeLessThan(5);
  });

  test("a picture smaller than a tile is resized to one", async () => {
    const small = picture(20, 90);
    expect(await coveringTiles(small, 32, 9)).toEqual([{ picture: small, side: 32 }]);
    expect(cutCrops(small, 32, () => [])).toEqual([{ picture: small, side: 32 }]);
  });
});

describe("what the network is shown in evaluation", () => {
  const options = { resize: 36, crop: 32, seed: 5 };

  test("by default the centre of the resized picture", async () => {
    const device = await sharedDevice();
    const whole = picture(50, 70);
    const [view] = await evaluationViews(cplOptions(options), whole);
    using found = uploadView(device, view!, 32);
    using resized = upload(device, whole, 36);
    const { expected } = device.scope(() => ({ expected: centerCrop(resized, 32, 32).read() }));
    expect(await found.read()).toEqual(await expected);
  });

  test("with cropFrom original the centre as it is", async () => {
    const device = await sharedDevice();
    const whole = picture(60, 50);
    const [view, ...more] = await evaluationViews(cplOptions({ ...options, cropFrom: "original" }), whole);
    expect(more).toEqual([]);
    expect([view!.picture.pixels[0], view!.picture.pixels[1]]).toEqual([14, 9]);
    using found = uploadView(device, view!, 32);
    expect(found.shape).toEqual([1, 32, 32, 3]);
    const values = await found.read();
    // A byte of 255 is 1; adapters round 1 / 255 differently.
    view!.picture.pixels.forEach((byte, i) => {
      expect(Math.abs(values[i]! - byte / 255)).toBeLessThan(1e-7);
    });
  });

  test("crops lie anywhere, at places of the seed alone; tiles take the place of both", async () => {
    const crops = cplOptions({ ...options, testCrops: 40 });
    const corners = async (seed: number) =>
      (await evaluationViews({ ...crops, seed }, picture(60, 50))).map(({ picture: { pixels } }) => [
        ...pixels.subarray(0, 2),
      ]);
    const first = await corners(5);
    expect(first).toEqual(await corners(5));
    expect(first).not.toEqual(await corners(6));
    expect(Math.max(...first.map(([left]) => left!))).toBeGreaterThan(24);
    expect(Math.max(...first.map(([left]) => left!))).toBeLessThanOrEqual(28);
    expect(Math.min(...first.map(([, top]) => top!))).toBeLessThan(3);
    expect(await evaluationViews(cplOptions({ ...options, testTiles: 9 }), picture(60, 50))).toHaveLength(4);
    expect(() => cplOptions({ testTiles: 9, testCrops: 2 })).toThrow("give one");
  });

  test("shares of the spare height and width reach every place", () => {
    const place = (share: number) => placeAt({ width: 35, height: 32 }, 32, { top: share, left: share });
    expect([0, 0.24, 0.25, 0.5, 0.999, 1].map((share) => place(share).left)).toEqual([0, 0, 1, 2, 3, 3]);
    expect(place(0.7).top).toBe(0);
  });
});
