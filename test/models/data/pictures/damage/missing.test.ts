// Pictures of which something is missing are refused with a true reason, whatever stands behind the gap.
import { describe, expect, test } from "bun:test";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { checkPicture } from "../../../../../models/data/pictures/decode.ts";
import type { PictureReason } from "../../../../../models/data/pictures/picture-error.ts";
import * as make from "./files.ts";

const { chunk, dataOf, join, jpegWithRestarts, markerAt, over, scene, tiff, withSecondPicture } = make;

type Broken = readonly [PictureReason, string, (whole: Buffer) => Buffer | Promise<Buffer>];

function refused(plain: () => Promise<Buffer>, broken: Readonly<Record<string, Broken>>) {
  for (const [name, [reason, words, change]] of Object.entries(broken)) {
    test(name, async () => {
      const file = await plain();
      expect((await checkPicture(file)).ok).toBe(true);
      const check = await checkPicture(await change(Buffer.from(file)));
      if (check.ok) throw new Error("decoded although pixels are missing");
      expect(check.error).toMatchObject({ reason });
      expect(check.error.detail).toContain(words);
    });
  }
}

const cut = (file: Buffer, share: number) => file.subarray(0, Math.floor(file.length * share));
const scanOf = (file: Buffer) => markerAt(file, 0xda);
const without = (file: Buffer, from: number, to: number) => join(file.subarray(0, from), file.subarray(to));
const noise = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 167 + 41 * (i >> 3)) & 0xff);

describe("JPEG", () => {
  const share = /^The JPEG's data ends after \d+ % of its blocks\.$/;
  refused(() => scene().jpeg({ quality: 85 }).toBuffer(), {
    "half of it": ["truncated", "of its blocks", (file) => cut(file, 0.5)],
    "the last 20 bytes": ["truncated", "% of its blocks", (file) => file.subarray(0, -20)],
    "half of it, with an end marker": ["truncated", "of its blocks", (file) => join(cut(file, 0.5), [0xff, 0xd9])],
    "half of it and zeros": [
      "damaged",
      "The JPEG's data",
      (file) => over(file, file.length >> 1, new Uint8Array(file.length >> 1)),
    ],
    "half of it, a second picture behind": [
      "truncated",
      "of its blocks",
      (file) => withSecondPicture(cut(file, 0.5), file),
    ],
    "all of its data": ["truncated", "0 % of its blocks", (file) => file.subarray(0, scanOf(file) + 14)],
    "all but the header": ["truncated", "before its pixels begin", (file) => file.subarray(0, scanOf(file))],
    "all but half of the header": ["truncated", "within its header", (file) => file.subarray(0, 30)],
  });

  test("says how much there is", async () => {
    const check = await checkPicture(cut(await scene().jpeg({ quality: 85 }).toBuffer(), 0.5));
    expect(check.ok ? "" : check.error.detail).toMatch(share);
  });

  test("lossless coding is named", async () => {
    const file = await scene().jpeg().toBuffer();
    const check = await checkPicture(over(file, markerAt(file, 0xc0), [0xff, 0xc3]));
    expect(check.ok || check.error).toMatchObject({
      reason: "unsupported",
      detail: "It is a JPEG with lossless coding.",
    });
  });
});

describe("progressive JPEG", () => {
  refused(() => scene().jpeg({ quality: 85, progressive: true }).toBuffer(), {
    "its last scan": [
      "truncated",
      "before its last ones",
      (file) => file.subarray(0, file.lastIndexOf(Buffer.from([0xff, 0xc4]))),
    ],
    "half of a scan": ["truncated", "of scan", (file) => cut(file, 0.6)],
    "half of a scan, a second picture behind": [
      "truncated",
      "of scan",
      (file) => withSecondPicture(cut(file, 0.6), file),
    ],
    "its last scans, a second picture behind": [
      "truncated",
      "before its last ones",
      (file) => withSecondPicture(file.subarray(0, file.lastIndexOf(Buffer.from([0xff, 0xc4]))), file),
    ],
    "a part that was zeroed": ["damaged", "", (file) => over(file, Math.floor(file.length * 0.3), new Uint8Array(800))],
  });
});

describe("JPEG with restart markers", () => {
  const between = (file: Buffer, code: number) => [markerAt(file, code), markerAt(file, code + 1)] as const;
  refused(() => jpegWithRestarts(), {
    "an interval with its marker": ["damaged", "a part is missing", (file) => without(file, ...between(file, 0xd2))],
    "the data of an interval": [
      "damaged",
      "ends too early",
      (file) => {
        const [from, to] = between(file, 0xd2);
        return without(file, from + 2, to);
      },
    ],
    "the first half of an interval": [
      "damaged",
      "",
      (file) => {
        const [from, to] = between(file, 0xd2);
        return without(file, from + 2, (from + to) >> 1);
      },
    ],
    "blocks that were written over": ["damaged", "", (file) => over(file, between(file, 0xd2)[0] + 10, noise(90))],
  });
});

describe("PNG", () => {
  for (const [kind, options] of Object.entries({
    rows: {},
    passes: { progressive: true },
    palette: { palette: true },
  })) {
    describe(kind, () => {
      refused(() => scene().png(options).toBuffer(), {
        "half of it": ["truncated", "of its rows", (file) => cut(file, 0.5)],
        "the last bytes of its data": ["truncated", "", (file) => file.subarray(0, -40)],
        "data within it": ["damaged", "", (file) => over(file, dataOf(file) + 400, noise(60))],
        "the right check sum of its data": [
          "damaged",
          "check sum",
          (file) => over(file, file.length - 16, [1, 2, 3, 4]),
        ],
        "data, with an end behind": [
          "damaged",
          "of its rows",
          (file) => {
            const data = file.subarray(dataOf(file) + 8, dataOf(file) + 900);
            return join(file.subarray(0, dataOf(file)), chunk("IDAT", data), chunk("IEND", ""));
          },
        ],
      });
    });
  }
});

describe("WebP, GIF, AVIF", () => {
  for (const format of ["webp", "gif", "avif"] as const) {
    const plain = () => scene().toFormat(format).toBuffer();
    refused(plain, {
      [`${format}: half of it`]: ["truncated", "", (file) => cut(file, 0.5)],
      [`${format}: the last 30 bytes`]: ["truncated", "", (file) => file.subarray(0, -30)],
      [`${format}: most of it`]: ["truncated", "", (file) => cut(file, 0.1)],
    });
  }
  refused(() => scene().webp().toBuffer(), {
    "webp: bytes within it": [
      "truncated",
      "bytes of the WebP's VP8 part are missing",
      (file) => without(file, 400, 500),
    ],
  });
});

describe("TIFF", () => {
  const plain = async (options = {}) => (await tiff([], options)).file;
  refused(plain, {
    "a length beyond the end": [
      "truncated",
      "within strip 1 of 1",
      async () => (await tiff([{ tag: 279, type: 4, count: 1, value: 1_000_000 }])).file,
    ],
    "a strip": [
      "damaged",
      "0 of the 1 strips",
      async () => (await tiff([{ tag: 273, type: 4, count: 0, value: 0 }])).file,
    ],
    "half of the rows": [
      "damaged",
      "49 % of strip 1 of 1",
      async () => {
        const half = deflateSync((await scene(64, 48).raw().toBuffer()).subarray(0, 64 * 24 * 3 - 30));
        const { file, strip } = await tiff([{ tag: 279, type: 4, count: 1, value: half.length }]);
        return over(file, strip.at, half);
      },
    ],
    "its directory": ["truncated", "directory", (file) => file.subarray(0, file.length - 60)],
  });
  for (const compression of ["lzw", "packbits", "jpeg", "deflate", "none"] as const) {
    test(`${compression}: half of it, in place of which are zeros, where that can be told`, async () => {
      const file = await scene(320, 240).tiff({ compression }).toBuffer();
      expect((await checkPicture(file)).ok).toBe(true);
      const zeros = new Uint8Array(file.length >> 1);
      const { ok } = await checkPicture(over(file, Math.floor(file.length * 0.3), zeros));
      expect([compression, ok]).toEqual([compression, compression === "none"]);
    });
  }
});

test("a DNG's small copy is not taken for the photograph", async () => {
  const { file } = await tiff([{ tag: 50_706, type: 7, count: 4, value: 0x04_01 }]);
  const check = await checkPicture(file);
  expect(check.ok || check.error).toMatchObject({
    reason: "unsupported",
    detail: "It is a raw photograph (DNG) without a JPEG preview.",
  });
});

test("what a picture is called does not change why it is refused", async () => {
  const whole = await scene().jpeg().toBuffer();
  const cutJpeg = whole.subarray(0, whole.length >> 1);
  for (const name of [
    "unsupported.jpg",
    "not enough data.jpg",
    "header of the end of file.jpg",
    "corrupt jpeg data.jpg",
  ]) {
    const check = await checkPicture(cutJpeg, { name });
    expect(check.ok || check.error).toMatchObject({ reason: "truncated", path: name });
  }
  const raw = sharp("/no/truncated folder/unsupported image format.png");
  expect(await checkPicture(raw as never)).toMatchObject({ ok: false, error: { reason: "missing" } });
});

test("strictness error takes what there is", async () => {
  const whole = await scene().jpeg().toBuffer();
  const half = whole.subarray(0, whole.length >> 1);
  expect(await checkPicture(half, { strictness: "error" })).toEqual({ ok: true, width: 160, height: 120 });
  expect(await checkPicture(withSecondPicture(half, whole), { strictness: "error" })).toMatchObject({ ok: true });
});
