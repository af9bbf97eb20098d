import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Device } from "../../../../engine/device/device.ts";
import { type Arrangement, arrange, arrangePacked } from "../../../../engine/ops/pictures/arrange.ts";
import { antialiased } from "../../../../engine/ops/pictures/resample.ts";
import { Random } from "../../../../engine/random.ts";
import { ShapeError, Tensor } from "../../../../engine/tensor.ts";
import { plainDevice, sharedDevice } from "../../device.ts";

interface Image {
  readonly height: number;
  readonly width: number;
  readonly at: (row: number, column: number) => readonly number[];
}

const image = (height: number, width: number, at: Image["at"]): Image => {
  const pixels = Array.from({ length: height * width }, (_, k) => at(Math.floor(k / width), k % width));
  return { height, width, at: (row, column) => pixels[row * width + column]! };
};

function noise(height: number, width: number, seed: number): Image {
  const random = new Random(seed, "noise");
  return image(height, width, () => [0, 1, 2].map(() => Math.fround(random.uniform())));
}

const flat = ({ height, width, at }: Image) =>
  Array.from({ length: height * width }, (_, k) => at(Math.floor(k / width), k % width)).flat();

const sumOf = (count: number, term: (t: number) => readonly number[]) =>
  Array.from({ length: count }, (_, t) => term(t)).reduce((a, b) => a.map((value, c) => value + b[c]!));

/** One step after another on the host, forwards, in double precision. */
function arrangedOnHost(x: Image, arrangement: Arrangement, side: number): Image {
  const { part, flip = false, down = 0, right = 0, quarters = 0, patches = [0], hole, grey } = arrangement;
  let y = image(part.height, part.width, (i, j) => x.at(part.top + i, part.left + j));
  if (part.height !== side) y = resizedRows(y, side);
  if (part.width !== side) y = transposed(resizedRows(transposed(y), side));
  if (flip) y = mapped(y, (i, j) => [i, side - 1 - j]);
  const mirrored = (at: number) => {
    const line = [...Array(side).keys()];
    const period = side === 1 ? line : [...line, ...line.slice(1, -1).toReversed()];
    return period[((at % period.length) + period.length) % period.length]!;
  };
  y = mapped(y, (i, j) => [mirrored(i - down), mirrored(j - right)]);
  for (let quarter = 0; quarter < quarters; quarter++) y = mapped(y, (i, j) => [j, side - 1 - i]);
  const grid = Math.sqrt(patches.length);
  const patch = Math.floor(side / grid);
  y = mapped(y, (i, j) => {
    if (Math.max(i, j) >= grid * patch) return [i, j];
    const from = patches[grid * Math.floor(i / patch) + Math.floor(j / patch)]!;
    return [Math.floor(from / grid) * patch + (i % patch), (from % grid) * patch + (j % patch)];
  });
  const before = y;
  return image(side, side, (i, j) => {
    const inside = hole && i >= hole.top && j >= hole.left && i < hole.top + hole.height && j < hole.left + hole.width;
    const [r, g, b] = inside ? [125 / 255, 123 / 255, 114 / 255] : before.at(i, j);
    return grey ? Array(3).fill(0.299 * r! + 0.587 * g! + 0.114 * b!) : [r!, g!, b!];
  });
}

const mapped = (x: Image, from: (i: number, j: number) => readonly [number, number]) =>
  image(x.height, x.width, (i, j) => x.at(...from(i, j)));
const transposed = (x: Image) => image(x.width, x.height, (i, j) => x.at(j, i));
function resizedRows(x: Image, height: number): Image {
  const { first, weights } = antialiased(x.height, height);
  return image(height, x.width, (i, j) =>
    sumOf(weights[i]!.length, (t) => x.at(first[i]! + t, j).map((value) => weights[i]![t]! * value)),
  );
}

async function run(device: Device, pictures: readonly Image[], arrangements: readonly Arrangement[], side: number) {
  const { values } = device.scope(() => {
    const [{ height, width }] = pictures as [Image];
    const x = Tensor.from(device, Float32Array.from(pictures.flatMap(flat)), [pictures.length, height, width, 3]);
    return { values: arrange(x, arrangements, side).read() };
  });
  return [...(await values)];
}

const whole = (height: number, width: number) => ({ top: 0, left: 0, height, width });

/** Everything at once, drawn. */
function drawn(random: Random, height: number, width: number, side: number): Arrangement {
  const exact = random.integer(2) === 0 && side <= Math.min(height, width);
  const tall = exact ? side : 1 + random.integer(height);
  const wide = exact ? side : 1 + random.integer(width);
  const grid = 1 + random.integer(4);
  const shift = () => random.integer(2 * side - 1) - side + 1;
  const reach = () => random.integer(2 * side) - side;
  return {
    part: { top: random.integer(height - tall + 1), left: random.integer(width - wide + 1), height: tall, width: wide },
    flip: random.integer(2) === 1,
    down: shift(),
    right: shift(),
    quarters: random.integer(4),
    patches: random.shuffle(Array.from({ length: grid * grid }, (_, k) => k)),
    hole: { top: reach(), left: reach(), height: random.integer(side), width: random.integer(side) },
    grey: random.integer(3) === 0,
  };
}

async function checkDrawn(device: Device, count: number, height: number, width: number, side: number) {
  const random = new Random(5, `${height} ${width} ${side}`);
  const pictures = Array.from({ length: count }, (_, n) => noise(height, width, n));
  const arrangements = pictures.map(() => drawn(random, height, width, side));
  const found = await run(device, pictures, arrangements, side);
  const each = side * side * 3;
  expect(found.length).toBe(count * each);
  pictures.forEach((picture, n) => {
    const wanted = flat(arrangedOnHost(picture, arrangements[n]!, side));
    const difference = Math.max(...wanted.map((value, k) => Math.abs(value - found[n * each + k]!)));
    // Roundings to 2^-15 of weights, lines, sums and lumas.
    expect({ n, near: difference < 1e-4 }).toEqual({ n, near: true });
  });
}

describe("as step by step on the host:", () => {
  test.each([
    [9, 9, 7],
    [8, 8, 8],
    [12, 7, 5],
    [5, 11, 9],
    [3, 3, 1],
    [1, 1, 3],
    [11, 11, 2],
    [70, 90, 65],
  ])("%d x %d to %d", async (height, width, side) => {
    await checkDrawn(await sharedDevice(), 12, height, width, side);
  });

  test.each([
    [8, 8, 8],
    [4, 12, 8],
    [8, 4, 4],
  ])("%d x %d to %d, cut into windows", async (height, width, side) => {
    await checkDrawn(await plainDevice(), 6, height, width, side);
  });
});

describe("one step alone:", () => {
  const side = 7;
  const picture = noise(side, side, 1);
  const part = whole(side, side);
  const alone = async (arrangement: Omit<Arrangement, "part">) =>
    run(await sharedDevice(), [picture], [{ part, ...arrangement }], side);
  const from = (place: (i: number, j: number) => readonly [number, number]) => flat(mapped(picture, place));

  test("nothing: every bit is kept", async () => {
    expect(await alone({})).toEqual(flat(picture));
  });

  test("a part of the picture's own pixels", async () => {
    const device = await sharedDevice();
    const found = await run(device, [picture], [{ part: { top: 2, left: 1, height: 4, width: 4 } }], 4);
    expect(found).toEqual(flat(image(4, 4, (i, j) => picture.at(2 + i, 1 + j))));
  });

  test("a mirrored picture", async () => {
    expect(await alone({ flip: true })).toEqual(from((i, j) => [i, side - 1 - j]));
  });

  test("quarters of a turn are exact maps of places, anticlockwise, and four are none", async () => {
    expect(await alone({ quarters: 1 })).toEqual(from((i, j) => [j, side - 1 - i]));
    expect(await alone({ quarters: 2 })).toEqual(from((i, j) => [side - 1 - i, side - 1 - j]));
    expect(await alone({ quarters: 3 })).toEqual(from((i, j) => [side - 1 - j, i]));
  });

  test("a shift shows the mirrored border once", async () => {
    expect(await alone({ down: 2 })).toEqual(from((i, j) => [[2, 1, 0, 1, 2, 3, 4][i]!, j]));
    expect(await alone({ right: -3 })).toEqual(from((i, j) => [i, [3, 4, 5, 6, 5, 4, 3][j]!]));
  });

  test("a shuffle moves whole patches, and keeps all pixels", async () => {
    const patches = [3, 0, 2, 1];
    const found = await alone({ patches });
    const pixels = (values: readonly number[]) =>
      Array.from({ length: values.length / 3 }, (_, k) => values.slice(3 * k, 3 * k + 3).join()).toSorted();
    expect(pixels(found)).toEqual(pixels(flat(picture)));
    const corners = [0, 1, 2, 3].map((k) => found.slice(3 * (7 * 3 * (k >> 1) + 3 * (k & 1))).slice(0, 3));
    expect(corners).toEqual(patches.map((k) => [...picture.at(3 * (k >> 1), 3 * (k & 1))]));
    // What three patches of two pixels leave of seven stays.
    const nine = await alone({ patches: [8, 7, 6, 5, 4, 3, 2, 1, 0] });
    const last = (values: readonly number[]) => values.slice(6 * side * 3);
    expect(last(nine)).toEqual(last(flat(picture)));
  });

  test("a hole is one colour, and nothing around it changes", async () => {
    const found = await alone({ hole: { top: -1, left: 2, height: 3, width: 2 } });
    flat(picture).forEach((value, k) => {
      const [row, column] = [Math.floor(k / 3 / side), Math.floor(k / 3) % side];
      const inside = row < 2 && column >= 2 && column < 4;
      if (inside) expect(Math.round(found[k]! * 255)).toBe([125, 123, 114][k % 3]!);
      else expect(found[k]).toBe(value);
    });
  });

  test("grey has the luma of BT.601", async () => {
    const found = await alone({ grey: true });
    for (let k = 0; k < found.length; k += 3) {
      const [r, g, b] = flat(picture).slice(k, k + 3) as [number, number, number];
      expect(found[k]).toBeCloseTo(0.299 * r + 0.587 * g + 0.114 * b, 4);
      expect(found.slice(k, k + 3)).toEqual(Array(3).fill(found[k]));
    }
  });

  test("a picture of one colour keeps it when it is resized", async () => {
    const value = Math.fround(200 / 255);
    const plain = image(11, 11, () => [value, value, value]);
    const found = await run(await sharedDevice(), [plain], [{ part: whole(11, 9) }], 5);
    expect(new Set(found)).toEqual(new Set([Math.round(value * 2 ** 15) / 2 ** 15]));
  });
});

describe("packed parts are resized as by Pillow, to one grey level:", () => {
  const { pictures, crops } = JSON.parse(
    readFileSync(new URL("../../../golden/augment.json", import.meta.url), "utf8"),
  );
  const bytesOf = (text: string) => [...Buffer.from(text, "base64")];
  test.each(crops as { picture: number; box: [number, number, number, number]; side: number; result: string }[])(
    "picture $picture, $box to $side",
    async ({ picture, box: [left, top, right, bottom], side, result }) => {
      const device = await sharedDevice();
      const { width, height, bytes } = pictures[picture];
      const values = Float32Array.from(bytesOf(bytes), (level) => level / 255);
      const part = { top, left, height: bottom - top, width: right - left };
      const { words } = device.scope(() => {
        const x = Tensor.from(device, values, [1, height, width, 3]);
        return { words: arrangePacked(x, [{ part }], side).readIndices() };
      });
      const levels = [...(await words)].flatMap((word) => [word & 255, (word >> 8) & 255, word >> 16]);
      const difference = bytesOf(result).map((level, k) => Math.abs(level - levels[k]!));
      expect(difference.length).toBe(side * side * 3);
      expect(Math.max(...difference)).toBeLessThanOrEqual(1);
    },
  );
});

test("packed views are the nearest of 256 levels", async () => {
  const device = await sharedDevice();
  const picture = image(16, 16, (i, j) => [16 * i + j, 255 - j, 17 * i].map((level) => Math.fround(level / 255)));
  const part = whole(16, 16);
  const { words } = device.scope(() => {
    const x = Tensor.from(device, Float32Array.from(flat(picture)), [1, 16, 16, 3]);
    const y = arrangePacked(x, [{ part }], 16);
    expect(y.dtype).toBe("u32");
    return { words: y.readIndices() };
  });
  const levels = [...(await words)].flatMap((word) => [word & 255, (word >> 8) & 255, word >> 16]);
  expect(levels).toEqual(flat(picture).map((value) => Math.round(255 * value)));
});

test("what does not fit is refused with the value", async () => {
  const device = await sharedDevice();
  const part = whole(4, 4);
  const wrong: [Partial<Arrangement>, string][] = [
    [{ part: { ...part, top: 1 } }, "is not inside 4x4"],
    [{ part: { ...part, top: 0.5, height: 2 } }, "top: 0.5"],
    [{ part: { ...part, height: 0 } }, "height: 0"],
    [{ down: 4 }, "a shift by 4"],
    [{ right: Number.NaN }, "a shift by NaN"],
    [{ quarters: 4 }, "4 quarters"],
    [{ patches: [0, 1] }, "[0, 1]"],
    [{ patches: [0, 1, 2, 2] }, "[0, 1, 2, 2]"],
    [{ hole: { ...part, width: -1 } }, "width: -1"],
  ];
  for (const [arrangement, text] of wrong) {
    const work = () => arrange(Tensor.zeros(device, [1, 4, 4, 3]), [{ part, ...arrangement }], 4);
    expect(() => device.scope(work)).toThrow(text);
    expect(() => device.scope(work)).toThrow(ShapeError);
  }
  const refused = (work: () => Tensor, text: string) => expect(() => device.scope(work)).toThrow(text);
  refused(() => arrange(Tensor.zeros(device, [1, 4, 4, 4]), [{ part }], 4), "[1,4,4,4]");
  refused(() => arrange(Tensor.zeros(device, [1, 4, 4, 3]), [], 4), "0 arrangements for 1 pictures");
  refused(() => arrange(Tensor.zeros(device, [1, 4, 4, 3]), [{ part }], 0), "got 0");
  refused(() => arrange(Tensor.zeros(device, [1, 4, 4, 3], "u32"), [{ part }], 4), "u32");
});
