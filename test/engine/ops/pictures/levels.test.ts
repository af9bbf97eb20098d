import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Device } from "../../../../engine/device/device.ts";
import { openDevice } from "../../../../engine/device/open.ts";
import { changeLevels, type LevelOperation } from "../../../../engine/ops/pictures/levels.ts";
import type { RescaleFilter } from "../../../../engine/ops/pictures/rescale.ts";
import { ShapeError, Tensor } from "../../../../engine/tensor.ts";
import { sharedDevice } from "../../device.ts";

interface Golden {
  readonly picture: number;
  readonly operations: readonly LevelOperation[];
  /** Of a rectangle whose right and lower ends lie inside, as Pillow draws it. */
  readonly corners?: readonly [number, number, number, number];
  readonly result: string;
}

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly bytes: string;
}

interface Rescaled {
  readonly picture: number;
  readonly box: readonly [number, number, number, number];
  readonly filter: RescaleFilter;
  readonly result: string;
}

const golden: {
  readonly pictures: readonly Picture[];
  readonly cases: readonly Golden[];
  readonly rescaled: readonly Rescaled[];
} = JSON.parse(readFileSync(new URL("../../../golden/augment.json", import.meta.url), "utf8"));
const bytesOf = (text: string) => [...Buffer.from(text, "base64")];

function changeOf({ operations, corners }: Golden): readonly LevelOperation[] {
  if (!corners) return operations;
  const [left, top, right, bottom] = corners.map(Math.trunc) as [number, number, number, number];
  const hole = { top, left, height: bottom - top + 1, width: right - left + 1 };
  return [...operations, { name: "fill", hole, colour: [125, 123, 114] }];
}

/** All of one picture's cases as one batch: levels, and how far each is from 255ths. */
async function run(device: Device, { width, height, bytes }: Picture, changes: readonly (readonly LevelOperation[])[]) {
  const levels = bytesOf(bytes);
  const pixels = Array.from({ length: width * height }, (_, k) => {
    const [r, g, b] = levels.slice(3 * k, 3 * k + 3) as [number, number, number];
    return r + 2 ** 8 * g + 2 ** 16 * b;
  });
  const { values } = device.scope(() => {
    const words = Uint32Array.from(changes.flatMap(() => pixels));
    const x = Tensor.from(device, words, [changes.length, height, width]);
    return { values: changeLevels(x, changes).read() };
  });
  const found = await values;
  const each = found.length / changes.length;
  return changes.map((_, n) => [...found.subarray(n * each, (n + 1) * each)].map((value) => 255 * value));
}

/** Operations and largest differences of the cases of some pictures. */
async function differences(device: Device, wanted: (picture: Picture) => boolean, together: number) {
  const found: { name: string; operations: readonly LevelOperation[]; number: number; difference: number }[] = [];
  for (const [number, picture] of golden.pictures.entries()) {
    if (!wanted(picture)) continue;
    const cases = golden.cases.filter((each) => each.picture === number);
    for (let from = 0; from < cases.length; from += together) {
      const batch = cases.slice(from, from + together);
      const results = await run(device, picture, batch.map(changeOf));
      batch.forEach(({ operations, result }, n) => {
        const expected = bytesOf(result);
        expect(results[n]!.length).toBe(expected.length);
        found.push({
          name: operations.length === 1 ? operations[0]!.name : "several",
          operations,
          number,
          difference: Math.max(...expected.map((level, k) => Math.abs(level - results[n]![k]!))),
        });
      });
    }
  }
  return found;
}

const exactly = 1e-4;
const names = [...new Set(golden.cases.map(({ operations }) => operations[0]!.name))];

const found = await differences(await sharedDevice(), () => true, 400);

describe("as Pillow, to one grey level at every pixel:", () => {
  test.each(names)("%s", (name) => {
    const of = found.filter((each) => each.name === name);
    expect(of.length).toBeGreaterThan(15);
    expect(of.filter(({ difference }) => !(difference < 1 + exactly))).toEqual([]);
  });

  test("exactly so, where amounts are whole in steps of 2^-16 and levels are not stretched", () => {
    const steps = (operation: LevelOperation) => ("amount" in operation ? operation.amount! * 2 ** 16 : 0);
    const whole = (operation: LevelOperation) => /[XY]|rot|solar/.test(operation.name) || steps(operation) % 1 === 0;
    const of = found.filter(({ name, operations }) => operations.every(whole) && name !== "autoContrast");
    expect(of.length).toBeGreaterThan(300);
    expect(of.filter(({ difference }) => !(difference < exactly))).toEqual([]);
  });

  test("three operations and a rectangle", () => {
    const of = found.filter(({ name }) => name === "several");
    expect(of.length).toBe(4);
    expect(of.filter(({ difference }) => !(difference < 1 + exactly))).toEqual([]);
  });
});

test("the same cut into windows", async () => {
  const tiny = ({ width, height }: Picture) => width * height <= 36;
  const { minStorageBufferOffsetAlignment } = (await sharedDevice()).gpu.limits;
  // A few tables of levels fit a window.
  using device = await openDevice({
    withoutFeatures: ["subgroups", "shader-f16"],
    maximumBindingBytes: 1024 * minStorageBufferOffsetAlignment,
  });
  const small = await differences(device, tiny, 12);
  expect(small.length).toBeGreaterThan(80);
  expect(small.filter(({ difference }) => !(difference < 1 + exactly))).toEqual([]);
});

describe("parts in the size of the whole, as Pillow:", () => {
  const filters = [...new Set(golden.rescaled.map(({ filter }) => filter))];

  test.each(filters)("%s", async (filter) => {
    const device = await sharedDevice();
    const of = golden.rescaled.filter((each) => each.filter === filter);
    expect(of.length).toBe(7);
    for (const { picture, box, result } of of) {
      const [left, top, right, bottom] = box;
      const part = { top, left, height: bottom - top, width: right - left };
      const rescale = { name: "rescale", part, filter } as const;
      const invert = { name: "invert" } as const;
      const lists = [[], [rescale], [invert, invert, rescale], [rescale, invert]];
      const results = await run(device, golden.pictures[picture]!, lists);
      const expected = bytesOf(result);
      const [, alone, after, before] = results.map((levels) => levels.map((level) => Math.round(level)));
      expect(alone).toEqual(expected);
      expect(after).toEqual(expected);
      expect(before).toEqual(expected.map((level) => 255 - level));
    }
  });
});

test("rectangles are filled between operations", async () => {
  const picture = golden.pictures[0]!;
  const hole = { top: 1, left: -2, height: 3, width: 6 };
  const fill = { name: "fill", hole, colour: [10, 20, 30] } as const;
  const invert = { name: "invert" } as const;
  const [found, twice] = await run(await sharedDevice(), picture, [
    [invert, fill, invert],
    [fill, fill],
  ]);
  bytesOf(picture.bytes).forEach((level, k) => {
    const [row, column] = [Math.floor(k / 3 / picture.width), Math.floor(k / 3) % picture.width];
    const inside = row >= 1 && row < 4 && column < 4;
    expect(Math.round(found![k]!)).toBe(inside ? 255 - fill.colour[k % 3]! : level);
    expect(Math.round(twice![k]!)).toBe(inside ? fill.colour[k % 3]! : level);
  });
});

test("levels come as 255ths, lists of operations may differ in length and be empty", async () => {
  const picture = golden.pictures[0]!;
  const invert = { name: "invert" } as const;
  const lists = [[], [invert], [invert, invert], [invert, invert, invert]];
  const results = await run(await sharedDevice(), picture, lists);
  const own = bytesOf(picture.bytes);
  lists.forEach(({ length }, n) => {
    const expected = own.map((level) => (length % 2 === 0 ? level : 255 - level));
    expect(results[n]!.map((level) => Math.round(level))).toEqual(expected);
    expect(Math.max(...results[n]!.map((level, k) => Math.abs(level - expected[k]!)))).toBeLessThan(exactly);
  });
});

test("what does not fit is refused with the value", async () => {
  const device = await sharedDevice();
  const whole = { top: 0, left: 0, height: 4, width: 4 };
  const wrong: [unknown[], string][] = [
    [[{ name: "rotat", amount: 3 }], 'did you mean "rotate"?'],
    [[{ name: "rotate", amount: Number.NaN }], "got NaN"],
    [[{ name: "posterize", amount: 4.5 }], "got 4.5"],
    [[{ name: "solarize", amount: 257 }], "got 257"],
    [[{ name: "equalize", amount: 1.5 }], "got 1.5"],
    [[{ name: "brightness", amount: -0.5 }], "got -0.5"],
    [[3], "got 3"],
    [[{ name: "fill", hole: whole, colour: [0, 0, 256] }], "got 256"],
    [[{ name: "rescale", part: { ...whole, top: 1 }, filter: "box" }], "top: 1"],
    [[{ name: "rescale", part: { ...whole, height: 0 }, filter: "box" }], "height: 0"],
    [[{ name: "rescale", part: whole, filter: "bilinaer" }], 'did you mean "bilinear"?'],
  ];
  const x = () => Tensor.zeros(device, [1, 4, 4], "u32");
  for (const [operations, text] of wrong) {
    expect(() => device.scope(() => changeLevels(x(), [operations as LevelOperation[]]))).toThrow(text);
  }
  const hole = { top: 0, left: 0, height: 1.5, width: 1 };
  const refused = (work: () => Tensor, text: string) => {
    expect(() => device.scope(work)).toThrow(text);
    expect(() => device.scope(work)).toThrow(ShapeError);
  };
  refused(() => changeLevels(x(), [[{ name: "fill", hole, colour: [0, 0, 0] }]]), "picture 0: the hole");
  refused(() => changeLevels(x(), []), "0 changes for 1 pictures");
  refused(() => changeLevels(Tensor.zeros(device, [1, 4, 4, 3], "u32"), [[]]), "[1,4,4,3]");
  refused(() => changeLevels(Tensor.zeros(device, [1, 4, 4]), [[]]), "found f32");
  refused(() => changeLevels(Tensor.zeros(device, [1, 1, 4097], "u32"), [[]]), "[1,1,4097]");
});
