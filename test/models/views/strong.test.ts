import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Device } from "../../../engine/device/device.ts";
import { slice } from "../../../engine/ops/join.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { type QualityIngredient, qualityIngredients, qualityView } from "../../../models/views/quality-views.ts";
import { type StrongOptions, strongViews } from "../../../models/views/strong.ts";
import { plainDevice, sharedDevice } from "../../engine/device.ts";

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

describe("quality views", () => {
  const set = "quality";

  test("a view depends on its picture and its seed alone", async () => {
    const seeds = Array.from({ length: 9 }, (_, k) => 2 ** 40 + 7 * k);
    for (const [device, side, crop] of [
      [await sharedDevice(), 24, 17],
      [await plainDevice(), 8, 6],
    ] as const) {
      const together = await viewsOf(device, 9, side, { set, crop, seeds });
      const each = crop * crop * 3;
      const { alone } = device.scope(() => {
        const whole = pictures(device, 9, side);
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
    expect(hash.digest("hex").slice(0, 16)).toBe("8da1b83510ed7c5a");
  });

  test("crops of the whole picture, and 1 pixel", async () => {
    const device = await sharedDevice();
    for (const side of [1, 2, 3, 4]) {
      const values = await viewsOf(device, 8, side, { set, crop: side, seeds: [0, 1, 2, 3, 4, 5, 6, 7] });
      expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  test("without what resizes, fills or greys, every pixel is one of the picture's, with its bits", async () => {
    const leaveOut = ["resizedCrop", "cutout", "grey"] as const;
    const found = await viewsOf(await sharedDevice(), 1, 16, { set, crop: 16, seeds: [3], leaveOut });
    const own = new Set(pixelsOf(numbers(1, 16)));
    expect(pixelsOf(found).every((pixel) => own.has(pixel))).toBe(true);
  });
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
    [{ leaveout: [] }, 'did you mean "leaveOut"?'],
  ];
  for (const [change, text] of wrong) {
    const work = () => strongViews(pictures(device, 2, 8), { ...options, ...change });
    expect(() => device.scope(work)).toThrow(text);
  }
  expect(() => device.scope(() => strongViews(Tensor.zeros(device, [2, 8, 9, 3]), options))).toThrow("[2,8,9,3]");
});
