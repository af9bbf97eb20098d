import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { slice } from "../../../engine/ops/join.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { type QualityIngredient, qualityIngredients, qualityView } from "../../../models/views/quality-views.ts";
import { type RandAugmentView, randAugmentView } from "../../../models/views/randaugment.ts";
import { type StrongOptions, strongViews } from "../../../models/views/strong.ts";
import { sharedDevice } from "../../engine/device.ts";

/** Numbers of pictures in levels of 8 bits, the same on every machine. */
function numbers(count: number, side: number): Float32Array<ArrayBuffer> {
  const level = (k: number) => (Math.imul(k + 1, 0x9e3779b1) >>> 21) & 255;
  return Float32Array.from({ length: count * side * side * 3 }, (_, k) => level(k) / 255);
}

const pictures = (device: Device, count: number, side: number) =>
  Tensor.from(device, numbers(count, side), [count, side, side, 3]);

const pixelsOf = (values: Float32Array) =>
  Array.from({ length: values.length / 3 }, (_, k) => values.subarray(3 * k, 3 * k + 3).join());

async function viewsOf(device: Device, count: number, side: number, options: StrongOptions): Promise<Float32Array> {
  const { values } = device.scope(() => ({ values: strongViews(pictures(device, count, side), options).read() }));
  return Float32Array.from(await values);
}

const seeds = Array.from({ length: 4000 }, (_, k) => 1000 + k);
const views = seeds.map((seed) => qualityView(40, 32, seed));

/** Within four standard errors of a share of 4000. */
function expectShare(wanted: number, holds: (view: (typeof views)[number]) => boolean): void {
  const found = views.filter(holds).length / views.length;
  expect(Math.abs(found - wanted)).toBeLessThan(4 * Math.sqrt((wanted * (1 - wanted)) / views.length));
}

describe("the draws of quality views", () => {
  test("every ingredient comes as often as it should", () => {
    expectShare(0.5, ({ flip }) => flip === true);
    expectShare(0.1, ({ grey }) => grey === true);
    for (const grid of [2, 3, 4]) expectShare(0.25 / 3, ({ patches }) => patches!.length === grid * grid);
    for (const turns of [0, 1, 2, 3]) expectShare(0.25, ({ quarters }) => quarters === turns);
    for (const shift of [-4, 0, 3, 4]) {
      expectShare(1 / 9, ({ down }) => down === shift);
      expectShare(1 / 9, ({ right }) => right === shift);
    }
    for (const side of [0, 7, 16]) expectShare(1 / 17, ({ hole }) => hole!.height === side && hole!.width === side);
    for (const row of [0, 13, 31]) expectShare(1 / 32, ({ hole }) => hole!.top + Math.floor(hole!.height / 2) === row);
    // A resized crop has 31.5 to 32.5 pixels a side, too, in (32.5² − 31.5²) / (40² / 2) of its cases.
    const exact = 0.75 + 0.25 * 0.08;
    for (const place of [0, 5, 8]) {
      expectShare(exact / 9, ({ part }) => part.height === 32 && part.top === place);
      expectShare(exact / 9, ({ part }) => part.height === 32 && part.left === place);
    }
    const upTo34 = (34.5 ** 2 / 40 ** 2 - 0.5) / 0.5;
    expectShare(0.25 * (upTo34 - 0.08), ({ part }) => part.height !== 32 && part.height <= 34);
  });

  test("nothing leaves its range, and everything at either end of it comes", () => {
    const ends = (value: (view: (typeof views)[number]) => number) => [
      Math.min(...views.map(value)),
      Math.max(...views.map(value)),
    ];
    expect(ends(({ part }) => part.height)).toEqual([28, 40]);
    expect(ends(({ down }) => down!)).toEqual([-4, 4]);
    expect(ends(({ hole }) => hole!.height)).toEqual([0, 16]);
    expect(views.every(({ part }) => part.height === part.width)).toBe(true);
    expect(views.every(({ part }) => Math.max(part.top, part.left) + part.height <= 40)).toBe(true);
    // No two places of a shuffle show the same patch, and none is preferred.
    const shuffled = views.filter(({ patches }) => patches!.length === 4);
    for (let k = 0; k < 4; k++) {
      const share = shuffled.filter(({ patches }) => patches![0] === k).length / shuffled.length;
      expect(Math.abs(share - 0.25)).toBeLessThan(0.1);
    }
  });

  test("what is left out is gone, and the rest stays", () => {
    const fields: Record<QualityIngredient, (keyof (typeof views)[number])[]> = {
      resizedCrop: ["part"],
      flip: ["flip"],
      translation: ["down", "right"],
      rotation: ["quarters"],
      shuffle: ["patches"],
      cutout: ["hole"],
      grey: ["grey"],
    };
    const hole = { top: 0, left: 0, height: 0, width: 0 };
    const none = { flip: false, down: 0, right: 0, quarters: 0, patches: [0], hole, grey: false };
    for (const name of qualityIngredients) {
      for (const seed of seeds.slice(0, 100)) {
        const [whole, without] = [qualityView(40, 32, seed), qualityView(40, 32, seed, new Set([name]))];
        const changed = Object.fromEntries(
          fields[name].map((field) => [field, { ...none, part: without.part }[field]]),
        );
        expect(without).toEqual({ ...whole, ...changed });
        if (name === "resizedCrop") expect(without.part).toMatchObject({ height: 32, width: 32 });
      }
    }
  });
});

const levels = 255;

function holeOf({ operations }: RandAugmentView) {
  const last = operations.at(-1)!;
  if (last.name !== "fill") throw new Error(`the last operation is ${last.name}`);
  expect(last.colour).toEqual([125, 123, 114]);
  return last.hole;
}

describe("the draws of RandAugment views", () => {
  const drawn = seeds.map((seed) => randAugmentView(64, 40, seed));
  const named = drawn.map(({ operations }) => operations.slice(0, -1));
  const amounts = (wanted: string) =>
    named.flat().flatMap((each) => (each.name === wanted && "amount" in each ? [each.amount!] : []));

  test("three of 14 operations, as often and also twice", () => {
    expect(named.every(({ length }) => length === 3)).toBe(true);
    const names = [...new Set(named.flat().map(({ name }) => name))];
    expect(names.length).toBe(14);
    const count = 3 * named.length;
    for (const name of names)
      expect(Math.abs(amounts(name).length / count - 1 / 14)).toBeLessThan(4 * Math.sqrt(13 / 14 ** 2 / count));
    const distinct = named.filter((three) => new Set(three.map(({ name }) => name)).size === 3).length / named.length;
    const wanted = (13 * 12) / 14 ** 2;
    expect(Math.abs(distinct - wanted)).toBeLessThan(4 * Math.sqrt((wanted * (1 - wanted)) / named.length));
  });

  test("amounts are uniform in their ranges", () => {
    const ranges: Record<string, [number, number]> = {
      brightness: [0.05, 0.95],
      sharpness: [0.05, 0.95],
      rotate: [-30, 30],
      shearX: [-0.3, 0.3],
      translateY: [-0.3, 0.3],
      solarize: [0, 256],
    };
    for (const [name, [least, most]] of Object.entries(ranges)) {
      const shares = amounts(name).map((amount) => (amount - least) / (most - least));
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...shares)).toBeLessThan(1);
      const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
      const square = shares.reduce((sum, share) => sum + share ** 2, 0) / shares.length;
      expect(Math.abs(mean - 1 / 2)).toBeLessThan(4 / Math.sqrt(12 * shares.length));
      expect(Math.abs(square - 1 / 3)).toBeLessThan(4 * Math.sqrt(4 / 45 / shares.length));
    }
    expect([...new Set(amounts("posterize"))].toSorted()).toEqual([4, 5, 6, 7]);
  });

  test("crops have 8 to 100 % of the area, aspects from 3/4 to 4/3, and lie inside", () => {
    const parts = drawn.map(({ arrangement }) => arrangement.part);
    for (const { top, left, height, width } of parts) {
      expect(Math.min(top, left, 64 - top - height, 64 - left - width)).toBeGreaterThanOrEqual(0);
      // Whole pixels move either side by at most a half.
      expect((width + 0.5) / (height - 0.5)).toBeGreaterThan(3 / 4);
      expect((width - 0.5) / (height + 0.5)).toBeLessThan(4 / 3);
      expect((width + 0.5) * (height + 0.5)).toBeGreaterThan(0.08 * 64 ** 2);
    }
    // Smaller ones always fit, so that they are a little more frequent than larger ones.
    const small = parts.filter(({ height, width }) => height * width < 0.54 * 64 ** 2).length / parts.length;
    expect(small).toBeGreaterThan(0.5);
    expect(small).toBeLessThan(0.62);
    const wide = parts.filter(({ height, width }) => width > height).length;
    const tall = parts.filter(({ height, width }) => width < height).length;
    expect(Math.abs(wide - tall) / (wide + tall)).toBeLessThan(4 / Math.sqrt(wide + tall));
  });

  test("the rectangle covers about 8 % of the view, and lies inside it", () => {
    const holes = drawn.map(holeOf);
    expect(Math.max(...holes.map(({ top, height }) => top + height))).toBe(41);
    expect(Math.min(...holes.map(({ height, width }) => Math.min(height, width)))).toBe(1);
    expect(Math.max(...holes.map(({ height }) => height))).toBe(20);
    const covered = holes.map(
      ({ top, left, height, width }) => (Math.min(40, top + height) - top) * (Math.min(40, left + width) - left),
    );
    const share = covered.reduce((sum, area) => sum + area, 0) / covered.length / 40 ** 2;
    expect(share).toBeGreaterThan(0.06);
    expect(share).toBeLessThan(0.1);
  });
});

describe.each([
  ["quality", "8da1b83510ed7c5a"],
  ["randaugment", "ec5083c587fe454f"],
] as const)("views of the set %s", (set, bits) => {
  test("a view depends on its picture and its seed alone", async () => {
    const seeds = Array.from({ length: 9 }, (_, k) => 2 ** 40 + 7 * k);
    const device = await sharedDevice();
    const small = await openDevice({
      withoutFeatures: ["subgroups", "shader-f16"],
      maximumBindingBytes: 1024 * device.gpu.limits.minStorageBufferOffsetAlignment,
    });
    for (const [opened, side, crop] of [
      [device, 24, 17],
      [small, 8, 6],
    ] as const) {
      const together = await viewsOf(opened, 9, side, { set, crop, seeds });
      const each = crop * crop * 3;
      const { alone } = opened.scope(() => {
        const whole = pictures(opened, 9, side);
        const backwards = [...seeds.keys()].toReversed();
        return {
          alone: backwards.map((n) => {
            const one = slice(whole, [n, 0, 0, 0], [n + 1, side, side, 3]);
            return [n, strongViews(one, { set, crop, seeds: [seeds[n]!] }).read()] as const;
          }),
        };
      });
      for (const [n, read] of alone)
        expect([...(await read)]).toEqual([...together.subarray(n * each, (n + 1) * each)]);
    }
    small.close();
  });

  test("the bits are the same on every adapter and runtime", async () => {
    const hash = createHash("sha256");
    for (const [side, crop] of [
      [32, 32],
      [33, 29],
      [50, 31],
      [5, 1],
    ] as const) {
      const seeds = Array.from({ length: 24 }, (_, k) => 100 * side + k);
      hash.update(new Uint8Array((await viewsOf(await sharedDevice(), 24, side, { set, crop, seeds })).buffer));
    }
    expect(hash.digest("hex").slice(0, 16)).toBe(bits);
  });

  test("crops of the whole picture, and 1 pixel", async () => {
    const device = await sharedDevice();
    for (const side of [1, 2, 3, 4]) {
      const values = await viewsOf(device, 8, side, { set, crop: side, seeds: [0, 1, 2, 3, 4, 5, 6, 7] });
      expect(values.length).toBe(8 * side * side * 3);
      expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });
});

test("a RandAugment view has whole levels, and its rectangle", async () => {
  const values = await viewsOf(await sharedDevice(), 1, 30, { set: "randaugment", crop: 30, seeds: [6] });
  expect(Math.max(...values.map((value) => Math.abs(levels * value - Math.round(levels * value))))).toBeLessThan(1e-4);
  const { top, left } = holeOf(randAugmentView(30, 30, 6));
  const at = 3 * (30 * top + left);
  expect([...values.subarray(at, at + 3)].map((value) => Math.round(levels * value))).toEqual([125, 123, 114]);
});

test("without what resizes, fills or greys, every pixel is one of the picture's, with its bits", async () => {
  const leaveOut = ["resizedCrop", "cutout", "grey"] as const;
  const found = await viewsOf(await sharedDevice(), 1, 16, { set: "quality", crop: 16, seeds: [3], leaveOut });
  const own = new Set(pixelsOf(numbers(1, 16)));
  expect(pixelsOf(found).every((pixel) => own.has(pixel))).toBe(true);
});

test("wrong options are refused with the value", async () => {
  const device = await sharedDevice();
  const options = { set: "quality", crop: 4, seeds: [1, 2] } as const;
  const wrong: [object, string][] = [
    [{ set: "qualty" }, 'did you mean "quality"?'],
    [{ crop: 9 }, "a crop of 9 from pictures of 8 pixels"],
    [{ crop: 0 }, "got 0"],
    [{ seeds: [1] }, "1 seeds for 2 pictures"],
    [{ seeds: [1, -2] }, "got -2"],
    [{ seeds: 3 }, "got 3"],
    [{ leaveOut: ["rotate"] }, 'got ["rotate"]'],
    [{ set: "randaugment", leaveOut: ["rotation"] }, 'for "randaugment"'],
    [{ leaveout: [] }, 'did you mean "leaveOut"?'],
  ];
  for (const [change, text] of wrong) {
    const work = () => strongViews(pictures(device, 2, 8), { ...options, ...change });
    expect(() => device.scope(work)).toThrow(text);
  }
  expect(() => device.scope(() => strongViews(Tensor.zeros(device, [2, 8, 9, 3]), options))).toThrow("[2,8,9,3]");
});
