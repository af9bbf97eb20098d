import { describe, expect, test } from "bun:test";
import sharp from "sharp";
import { Random } from "../../../../engine/random.ts";
import { decode } from "../../../../models/data/pictures/decode.ts";
import { readTiff } from "../../../../models/data/pictures/headers/tiff.ts";
import { PictureError } from "../../../../models/data/pictures/picture-error.ts";
import golden from "../../../golden/tiff.json" with { type: "json" };
import { type TiffTags, tiffFile } from "./picture-files.ts";

const [width, height] = [8, 4];
const count = width * height;
const random = new Random(3, "sample formats");
const colours = Array.from({ length: 3 * count }, () => random.integer(256));
const greys = colours.slice(0, count);

/** Whole samples of some bits each, little-endian. */
function packed(values: readonly number[], bits: 8 | 16 | 32): Buffer {
  const bytes = Buffer.alloc((values.length * bits) / 8);
  for (const [i, value] of values.entries()) bytes.writeUIntLE(value, (i * bits) / 8, bits / 8);
  return bytes;
}

/** The value of 8 bits over the whole range of some bits. */
const spread = (bits: 8 | 16 | 32) => (value: number) => value * { 8: 1, 16: 0x101, 32: 0x1010101 }[bits];

const tags = (photometric: number, bits: number, samples: number, more: TiffTags = {}): TiffTags => ({
  258: Array.from({ length: samples }, () => bits),
  262: [photometric],
  277: [samples],
  ...more,
});

const rgb = (bits: 8 | 16 | 32, more: TiffTags = {}) =>
  tiffFile(width, height, packed(colours.map(spread(bits)), bits), tags(2, bits, 3, more));

async function failure(bytes: Uint8Array): Promise<PictureError> {
  const error = await decode(bytes, { name: "a.tif" }).then(
    () => new Error("decoded although it should not"),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(PictureError);
  return error as PictureError;
}

describe(`pixels as Pillow ${golden.pillow} or ImageMagick ${golden.imagemagick} reads them`, () => {
  for (const { name, reader, file, pixels } of golden.cases) {
    test(`${name} (${reader})`, async () => {
      const picture = await decode(Buffer.from(file, "base64"));
      expect([picture.width, picture.height]).toEqual([golden.width, golden.height]);
      const expected = Buffer.from(pixels, "base64");
      const worst = picture.pixels.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
      expect(worst).toBeLessThanOrEqual(1);
    });
  }
});

describe("unsigned samples are scaled to their range", () => {
  for (const bits of [8, 16, 32] as const) {
    test(`${bits} bits of RGB`, async () => {
      expect([...(await decode(rgb(bits))).pixels]).toEqual(colours);
    });

    test(`${bits} bits of grey, black or white at 0`, async () => {
      for (const photometric of [0, 1]) {
        const stored = greys.map((value) => spread(bits)(photometric === 0 ? 255 - value : value));
        const { pixels } = await decode(tiffFile(width, height, packed(stored, bits), tags(photometric, bits, 1)));
        expect([...pixels]).toEqual(greys.flatMap((value) => [value, value, value]));
      }
    });
  }

  test("samples that nobody has described are unsigned", async () => {
    expect([...(await decode(rgb(16, { 339: [4, 4, 4] }))).pixels]).toEqual(colours);
  });

  test("32 bits turned, with alpha, and beyond the limit of pixels", async () => {
    const turned = await decode(rgb(32, { 274: [6] }));
    expect(turned).toMatchObject({ width: height, height: width });
    const clear = colours.flatMap((value, i) => (i % 3 === 2 ? [value, i < 3 ? 255 : 0] : [value]));
    const bytes = tiffFile(width, height, packed(clear.map(spread(32)), 32), tags(2, 32, 4, { 338: [2] }));
    expect([...(await decode(bytes, { background: "#102030" })).pixels.subarray(0, 6)]).toEqual([
      ...colours.slice(0, 3),
      16,
      32,
      48,
    ]);
    await expect(decode(rgb(32), { maxPixels: count - 1 })).rejects.toMatchObject({ reason: "too-large" });
  });
});

describe("extra samples", () => {
  const stored = (extra: readonly number[]) =>
    Array.from({ length: count }, (_, i) => [...colours.slice(3 * i, 3 * i + 3), ...extra]).flat();
  const file = (extra: readonly number[], meanings: readonly number[]) =>
    tiffFile(width, height, packed(stored(extra), 8), tags(2, 8, 3 + extra.length, { 338: meanings }));

  test("those of unknown use are left out, wherever they are", async () => {
    expect([...(await decode(file([9], [0]))).pixels]).toEqual(colours);
    expect([...(await decode(file([9, 7], [0, 0]))).pixels]).toEqual(colours);
    expect([...(await decode(file([9, 255], [0, 2]))).pixels]).toEqual(colours);
    expect([...(await decode(file([255, 9], [2, 0]))).pixels]).toEqual(colours);
    const withGrey = greys.flatMap((value) => [value, 9]);
    const { pixels } = await decode(tiffFile(width, height, packed(withGrey, 8), tags(1, 8, 2, { 338: [0] })));
    expect([...pixels]).toEqual(greys.flatMap((value) => [value, value, value]));
  });

  test("an alpha shows the background, multiplied into the colours or not", async () => {
    const clear = await decode(file([0], [2]));
    expect(new Set(clear.pixels)).toEqual(new Set([255]));
    const half = colours.flatMap((value, i) => (i % 3 === 2 ? [value >> 1, 128] : [value >> 1]));
    const multiplied = await decode(tiffFile(width, height, packed(half, 8), tags(2, 8, 4, { 338: [1] })));
    const plain = await decode(file([128], [2]));
    const worst = plain.pixels.reduce((most, value, i) => Math.max(most, Math.abs(value - multiplied.pixels[i]!)), 0);
    expect(worst).toBeLessThanOrEqual(2);
  });
});

test("inks without a profile lie on white as in browsers: R = (1 - C)(1 - K)", async () => {
  const inks = Array.from({ length: 4 * count }, () => random.integer(256));
  const { pixels } = await decode(tiffFile(width, height, packed(inks, 8), tags(5, 8, 4)));
  const expected = greys.flatMap((_, i) =>
    [0, 1, 2].map((c) => Math.round(((255 - inks[4 * i + c]!) * (255 - inks[4 * i + 3]!)) / 255)),
  );
  expect([...pixels]).toEqual(expected);
  const deep = tiffFile(width, height, packed(inks.map(spread(16)), 16), tags(5, 16, 4));
  expect((await decode(deep)).pixels).toEqual(pixels);
});

describe("refused by name", () => {
  test.each([
    ["signed 8 bits", rgb(8, { 339: [2, 2, 2] }), "signed samples of 8 bits"],
    ["signed 16 bits", rgb(16, { 339: [2, 2, 2] }), "signed samples of 16 bits"],
    ["signed 32 bits", rgb(32, { 339: [2, 2, 2] }), "signed samples of 32 bits"],
    ["one statement for all samples", rgb(16, { 339: [2] }), "signed samples of 16 bits"],
    ["16 bits of floating point", rgb(16, { 339: [3, 3, 3] }), "floating-point samples of 16 bits"],
    ["32 bits of floating point", rgb(32, { 339: [3, 3, 3] }), "floating-point samples of 32 bits"],
    ["64 bits of floating point", rgb(32, { 258: [64, 64, 64], 339: [3, 3, 3] }), "floating-point samples of 64 bits"],
    ["complex numbers", rgb(32, { 339: [6, 6, 6] }), "complex floating-point"],
    ["an unknown format", rgb(8, { 339: [9, 9, 9] }), "SampleFormat 9"],
    ["formats that differ", rgb(8, { 339: [1, 1, 2] }), "formats 1, 1, 2"],
    ["depths that differ", rgb(16, { 258: [8, 8, 16] }), "8, 8, 16 bits"],
    ["12 bits", rgb(16, { 258: [12, 12, 12] }), "12 bits a sample"],
    ["24 bits", rgb(32, { 258: [24, 24, 24] }), "24 bits a sample"],
    ["2 bits of RGB", rgb(8, { 258: [2, 2, 2] }), "2 bits a sample"],
    ["uncompressed YCbCr", rgb(8, { 262: [6] }), "YCbCr colours outside of JPEG compression (compression 1)"],
    ["YCbCr in LZW", rgb(8, { 259: [5], 262: [6] }), "(compression 5)"],
    ["8 bits of L*a*b*", rgb(8, { 262: [8] }), "L*a*b* colours of 8 bits"],
    ["ICC L*a*b*", rgb(8, { 262: [9] }), "ICC L*a*b*"],
    ["LogLuv", rgb(16, { 262: [32845] }), "LogLuv"],
    ["a mosaic", rgb(16, { 262: [32803] }), "a raw photograph without a JPEG preview"],
    ["linear raw samples", rgb(16, { 262: [34892] }), "a raw photograph without a JPEG preview"],
    ["a mask", rgb(8, { 262: [4] }), "mask"],
    ["unknown colours", rgb(8, { 262: [99] }), "kind 99"],
    ["too few samples", rgb(8, { 262: [5] }), "3 samples a pixel where its colours need 4"],
    ["samples without a word", rgb(8, { 262: [1] }), "of which it explains 1"],
  ] as const)("%s", async (_, bytes, words) => {
    const error = await failure(bytes);
    expect(error.reason).toBe("unsupported");
    expect(error.message).toContain(words);
  });

  test("inks of other colours", async () => {
    const inks = tiffFile(width, height, new Uint8Array(4 * count), tags(5, 8, 4, { 332: [2] }));
    expect((await failure(inks)).message).toContain("inks other than cyan");
  });

  test("in a pipeline of sharp too", async () => {
    const error = await decode(sharp(rgb(32, { 339: [3, 3, 3] }))).catch((error: unknown) => error);
    expect(error).toMatchObject({ reason: "unsupported" });
    expect((error as Error).message).toContain("type float");
  });
});

test("thousands of mutated TIFF headers are read without end or exception", () => {
  const bytes = rgb(16, { 338: [2], 339: [1, 1, 1] });
  const start = bytes.readUInt32LE(4);
  let read = 0;
  for (let i = 0; i < 20000; i++) {
    const mutated = Buffer.from(bytes);
    for (let n = random.integer(4); n >= 0; n--)
      mutated[random.integer(3) ? start + random.integer(bytes.length - start) : random.integer(8)] =
        random.integer(256);
    if (random.integer(4) === 0) mutated[2] = 43;
    const page = readTiff(random.integer(3) ? mutated : mutated.subarray(0, random.integer(mutated.length)));
    if (page) read++;
  }
  expect(read).toBeGreaterThan(2000);
  expect(read).toBeLessThan(19000);
});
