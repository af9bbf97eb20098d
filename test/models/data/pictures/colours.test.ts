import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../../../engine/random.ts";
import { decode } from "../../../../models/data/pictures/decode.ts";
import { readSmallFrame } from "../../../../models/data/pictures/headers/gif.ts";
import { readHeif } from "../../../../models/data/pictures/headers/heif.ts";
import { readProfile } from "../../../../models/data/pictures/headers/icc.ts";
import { readPng } from "../../../../models/data/pictures/headers/png.ts";
import golden from "../../../golden/colours.json" with { type: "json" };
import {
  chunk,
  cicp,
  type Grid,
  gama,
  iccp,
  pngFile,
  powerCurve,
  profileFile,
  tiffFile,
  xyz,
} from "./picture-files.ts";

const random = new Random(4, "colours");
const [width, height] = [16, 12];
const count = width * height;
const values = (channels: number) => Array.from({ length: channels * count }, () => random.integer(256));
const grid = (channels: Grid["channels"], samples = values(channels), bits: 8 | 16 = 8): Grid => ({
  ...{ width, height, channels, bits },
  values: bits === 8 ? samples : samples.map((value) => 257 * value),
});
const file = (name: string) => Buffer.from(golden.cases.find((one) => one.name === name)!.file, "base64");

function worst(a: Uint8Array, b: Uint8Array): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

const p3Columns = {
  rXYZ: xyz(0.5151, 0.2412, -0.0011),
  gXYZ: xyz(0.292, 0.6922, 0.0419),
  bXYZ: xyz(0.1571, 0.0666, 0.7841),
};
const curve = powerCurve(1.8);
const rgbProfile = (more: Record<string, Uint8Array> = {}) =>
  profileFile("RGB ", { rTRC: curve, gTRC: curve, bTRC: curve, ...p3Columns, ...more });
const greyProfile = profileFile("GRAY", { kTRC: powerCurve(1) });

describe(`pixels as Chromium ${golden.chromium} shows them`, () => {
  for (const { name, width, height, file, pixels } of golden.cases) {
    test(name, async () => {
      const picture = await decode(Buffer.from(file, "base64"));
      expect([picture.width, picture.height]).toEqual([width, height]);
      const difference = worst(picture.pixels, Buffer.from(pixels, "base64"));
      // Colours with alpha are rounded once more in the browser, multiplied with it. YCbCr is rounded to 8 bits of RGB before its
      // colours are converted here, and after in the browser.
      const allowed = name.includes("in the stream") ? 4 : name.includes("alpha") ? 2 : 1;
      expect(difference).toBeLessThanOrEqual(allowed);
    });
  }
});

test("an alpha that is multiplied into an AVIF's colours is taken out again, as by libavif", async () => {
  const picture = await decode(Buffer.from(golden.multiplied.file, "base64"));
  const pixels = Buffer.from(golden.multiplied.pixels, "base64");
  // Where little shows through, both round what they divide.
  expect(worst(picture.pixels, pixels)).toBeLessThanOrEqual(2);
});

describe("pictures without a word about colours keep the bits of the decoder", () => {
  const picture = () => sharp(Uint8Array.from(values(3)), { raw: { width, height, channels: 3 } });
  for (const format of ["png", "jpeg", "webp", "tiff", "gif", "avif"] as const) {
    test(format, async () => {
      const bytes = await picture().toFormat(format).toBuffer();
      const plain = await sharp(bytes).flatten({ background: "white" }).toColourspace("srgb").raw().toBuffer();
      expect((await decode(bytes)).pixels).toEqual(new Uint8Array(plain));
    });
  }

  test("and by an sRGB chunk or sRGB's code points too", async () => {
    const samples = values(3);
    const [plain, told, coded] = await Promise.all(
      [[], [chunk("sRGB", [0]), gama(45455)], [cicp(1, 13)]].map((chunks) => decode(pngFile(grid(3, samples), chunks))),
    );
    expect([...plain!.pixels]).toEqual(samples);
    expect(told!.pixels).toEqual(plain!.pixels);
    expect(coded!.pixels).toEqual(plain!.pixels);
  });
});

describe("a profile counts alike, whatever it is embedded in", () => {
  const tags = (photometric: number, bits: number, samples: number) => ({
    258: Array.from({ length: samples }, () => bits),
    262: [photometric],
    277: [samples],
  });

  test("grey at 8 and 16 bits, black or white at 0, in PNG, TIFF and a pipeline of sharp", async () => {
    const samples = values(1);
    const eight = await decode(pngFile(grid(1, samples), [iccp(greyProfile)]));
    const level = (light: number) => 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);
    expect([...eight.pixels]).toEqual(samples.flatMap((value) => Array(3).fill(Math.round(level(value / 255)))));
    const deep = pngFile(grid(1, samples, 16), [iccp(greyProfile)]);
    const packed = (photometric: number) =>
      Buffer.from(Uint16Array.from(samples, (value) => 257 * (photometric === 0 ? 255 - value : value)).buffer);
    const tiffs = [0, 1].map((photometric) =>
      tiffFile(width, height, packed(photometric), { ...tags(photometric, 16, 1), 34675: greyProfile }),
    );
    for (const source of [deep, ...tiffs, sharp(deep), sharp(tiffs[1])])
      expect((await decode(source)).pixels).toEqual(eight.pixels);
  });

  test("colours of 16 and 32 bits and with extra samples as in a PNG of 16 bits", async () => {
    const samples = values(3);
    const { pixels } = await decode(pngFile(grid(3, samples, 16), [iccp(rgbProfile())]));
    expect(worst(pixels, Uint8Array.from(samples))).toBeGreaterThan(20);
    const deep = tiffFile(width, height, Buffer.from(Uint16Array.from(samples, (value) => 257 * value).buffer), {
      ...tags(2, 16, 3),
      34675: rgbProfile(),
    });
    const deepest = tiffFile(width, height, Buffer.from(Uint32Array.from(samples, (v) => 0x1010101 * v).buffer), {
      ...tags(2, 32, 3),
      34675: rgbProfile(),
    });
    const extra = samples.flatMap((value, i) => (i % 3 === 2 ? [value, 7] : [value]));
    const selection = tiffFile(width, height, Uint8Array.from(extra), {
      ...tags(2, 8, 4),
      338: [0],
      34675: rgbProfile(),
    });
    for (const source of [deep, deepest, selection]) expect((await decode(source)).pixels).toEqual(pixels);
  });
});

test("colours that are told are shrunk as those of sRGB are", async () => {
  const colour = [200, 50, 100];
  const [large, small] = [48, 3].map((side) => Array.from({ length: 3 * side * side }, (_, i) => colour[i % 3]!));
  const square = (side: number, samples: readonly number[]) =>
    pngFile({ width: side, height: side, channels: 3, bits: 8, values: samples }, [cicp(12, 13)]);
  const shrunk = await decode(square(48, large!), { shrinkToShorterSide: 12 });
  expect(shrunk).toMatchObject({ width: 12, height: 12 });
  const whole = await decode(square(3, small!));
  expect([...shrunk.pixels.subarray(0, 3)]).toEqual([...whole.pixels.subarray(0, 3)]);
  expect(whole.pixels[0]).toBeGreaterThan(210);
});

describe("refused by name", () => {
  const avif = (primaries: number, transfer: number) => {
    const bytes = file("AVIF, nclx 1/13");
    bytes.set([0, primaries, 0, transfer], bytes.indexOf("colrnclx") + 8);
    return bytes;
  };
  const hdrTag = (transfer: number) => Buffer.from([...Buffer.from("cicp\0\0\0\0"), 9, transfer, 0, 1]);

  test.each([
    ["PQ by cICP", pngFile(grid(3), [cicp(9, 16)]), "PQ transfer (16 of ITU-T H.273, by its cICP chunk)"],
    ["HLG by cICP", pngFile(grid(3, values(3), 16), [cicp(9, 18)]), "HLG transfer (18"],
    ["PQ by nclx", avif(9, 16), "PQ transfer (16 of ITU-T H.273, by its colour box)"],
    ["HLG by nclx", avif(1, 18), "HLG"],
    ["PQ by a profile", pngFile(grid(3), [iccp(rgbProfile({ cicp: hdrTag(16) }))]), "by its ICC profile"],
    ["a matrix in a PNG", pngFile(grid(3), [cicp(12, 13, 1)]), "matrix 1"],
    ["a logarithm by nclx", avif(1, 9), "transfer 9"],
    [
      "16 bits of grey by a table of colours",
      pngFile(grid(1, values(1), 16), [iccp(profileFile("GRAY", { A2B0: new Uint8Array(32) }))]),
      "16 bits of grey",
    ],
  ] as const)("%s", async (_, bytes, words) => {
    const error = await decode(bytes, { name: "a.picture" }).catch((error: unknown) => error);
    expect(error).toMatchObject({ reason: "unsupported", path: "a.picture" });
    expect((error as Error).message).toContain(words);
  });
});

describe("hostile headers", () => {
  test("thousands of mutations are read without end or exception", () => {
    const readers = [
      [readPng, pngFile(grid(3), [cicp(1, 13), gama(1), chunk("cHRM", Buffer.alloc(32)), iccp(rgbProfile())])],
      [readHeif, file("AVIF, nclx 12/13")],
      [readHeif, file("AVIF, code points in the stream: 12/13")],
      [readSmallFrame, file("GIF, a frame smaller than its canvas")],
      [readProfile, rgbProfile()],
      [readProfile, greyProfile],
    ] as const;
    let told = 0;
    for (let i = 0; i < 20000; i++) {
      const [read, bytes] = readers[i % readers.length]!;
      const mutated = Buffer.from(bytes);
      for (let n = random.integer(5); n >= 0; n--)
        mutated[random.integer(Math.min(mutated.length, 400))] = random.integer(3) ? random.integer(256) : 255;
      if (read(random.integer(3) ? mutated : mutated.subarray(0, random.integer(mutated.length)))) told++;
    }
    expect(told).toBeGreaterThan(8000);
  });

  test("what is long or nested is read in passing", () => {
    const start = performance.now();
    const many = Buffer.concat(Array.from({ length: 200_000 }, () => Buffer.from("\0\0\0\0abcd\0\0\0\0", "latin1")));
    expect(readPng(Buffer.concat([pngFile(grid(3)).subarray(0, 33), many]))).toEqual({ isSrgb: false });
    expect(readPng(pngFile(grid(3), [iccp(Buffer.alloc(0x4000000))])).profile).toBeUndefined();
    // An item of 65535 pieces without a length, many times.
    const item = Buffer.from([0, 9, 0, 0, 0xff, 0xff]);
    const locations = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0xff, 0xff]), ...Array(65535).fill(item)]);
    const box = (type: string, ...parts: Uint8Array[]) => {
      const content = Buffer.concat(parts);
      const head = Buffer.alloc(8);
      head.writeUInt32BE(content.length + 8);
      head.write(type, 4, "latin1");
      return Buffer.concat([head, content]);
    };
    const primary = box("pitm", Buffer.from([0, 0, 0, 0, 0, 1]));
    expect(readHeif(box("meta", Buffer.alloc(4), primary, box("iloc", locations)))).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

const cases = join(import.meta.dirname, "../../../../../shared/cases");
describe.skipIf(!existsSync(cases))("samples of the kinds (skipped without ../shared/cases)", () => {
  const sample = (name: string) => decode(join(cases, name));

  test("Display P3 by nclx is the picture by a profile, as far as its compression goes", async () => {
    const folder = "colour-signalled-without-icc";
    const [coded, profiled] = await Promise.all([
      sample(`${folder}/display-p3-nclx.avif`),
      sample(`${folder}/display-p3-icc.png`),
    ]);
    const sum = coded!.pixels.reduce((total, value, i) => total + Math.abs(value - profiled!.pixels[i]!), 0);
    expect(sum / coded!.pixels.length).toBeLessThan(2.5);
  });

  test("grey of 16 bits is that of 8; 32 bits are 8; the others are refused", async () => {
    const grey = "grey-16-bit-icc/grey";
    expect((await sample(`${grey}-16-bit-linear-profile.tif`)).pixels).toEqual(
      (await sample(`${grey}-8-bit-linear-profile.tif`)).pixels,
    );
    const formats = "tiff-sample-formats";
    const wide = await sample(`${formats}/rgb-unsigned-32.tif`);
    expect(wide.pixels).toEqual((await sample(`${formats}/reference-rgb-8bit.png`)).pixels);
    for (const name of [
      ...["grey-signed-16.tif", "rgb-signed-16.tif", "rgb-float-0-to-255.tif"].map((name) => `${formats}/${name}`),
      "colour-signalled-without-icc/hdr-pq-bt2020-cicp.png",
    ])
      await expect(sample(name)).rejects.toMatchObject({ reason: "unsupported" });
  });
});
