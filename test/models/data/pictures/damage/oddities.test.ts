// Whole pictures with something odd beside their pixels have the pixels that they have without it.
import { describe, expect, test } from "bun:test";
import sharp from "sharp";
import { checkPicture } from "../../../../../models/data/pictures/decode.ts";
import * as make from "./files.ts";

const { chunk, dataOf, join, jpegWithRestarts, markerAt, over, pixelsOf, scene, segment, tiff, withBytes } = make;

/** Tests that each odd file has the pixels of the plain one; most make the decoder remark, which shows that they test something. */
function sameAs(
  plain: () => Promise<Buffer>,
  odd: Readonly<Record<string, (plain: Buffer) => Buffer | Promise<Buffer>>>,
) {
  for (const [name, change] of Object.entries(odd)) {
    test(name, async () => {
      const file = await plain();
      const changed = await change(Buffer.from(file));
      expect(changed.equals(file)).toBe(false);
      const check = await checkPicture(changed);
      expect(check.ok ? "" : check.error.detail).toBe("");
      expect((await pixelsOf(changed)) === (await pixelsOf(file))).toBe(true);
    });
  }
}

const baseline = () => scene().jpeg({ quality: 85 }).toBuffer();
const progressive = () => scene().jpeg({ quality: 85, progressive: true }).toBuffer();
const exif = (orientation: number) =>
  segment(0xe1, join("Exif\0\0II*\0", [8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]));
const sosOf = (jpeg: Buffer) => markerAt(jpeg, 0xda);
const afterSos = (jpeg: Buffer) => sosOf(jpeg) + 2 + jpeg.readUInt16BE(sosOf(jpeg) + 2);

describe("JPEG", () => {
  sameAs(baseline, {
    "progression bytes of the scan are zeros": (file) => over(file, afterSos(file) - 3, [0, 0, 0]),
    "bytes before its end": (file) => withBytes(file, file.length - 2, [1, 2, 3, 4, 5]),
    "zero bytes before its end": (file) => withBytes(file, file.length - 2, [0, 0, 0]),
    "bytes between segments": (file) => withBytes(file, markerAt(file, 0xc0), [1, 2, 3]),
    "0xFF before markers": (file) => withBytes(file, sosOf(file), [0xff, 0xff]),
    "bytes behind its end": (file) => join(file, Buffer.alloc(999, 0x41)),
    "no end marker": (file) => file.subarray(0, -2),
    "half an end marker": (file) => file.subarray(0, -1),
    "zero bytes in place of the end marker": (file) => join(file.subarray(0, -2), [0, 0, 0, 0]),
    "orientation 0": (file) => withBytes(file, 2, exif(0)),
    "orientation 9": (file) => withBytes(file, 2, exif(9)),
    "EXIF twice": (file) => withBytes(file, 2, join(exif(1), exif(1))),
    "EXIF of noise": (file) => withBytes(file, 2, segment(0xe1, "Exif\0\0II*\0\xff\x00\xff\x7f nothing of the kind")),
    "EXIF that is cut": (file) => withBytes(file, 2, segment(0xe1, "Exif\0\0II")),
    "density 0 and an unknown revision of JFIF": (file) =>
      withBytes(file, 2, segment(0xe0, join("JFIF\0", [9, 9, 1, 0, 0, 0, 0, 0, 0]))),
    "an Adobe segment with an unknown transform": (file) =>
      withBytes(file, 2, segment(0xee, join("Adobe", [0, 100, 0, 0, 0, 0, 9]))),
    "an ICC profile of noise": (file) => withBytes(file, 2, segment(0xe2, join("ICC_PROFILE\0", [1, 1], "no profile"))),
    "one of two parts of an ICC profile": (file) =>
      withBytes(file, 2, segment(0xe2, join("ICC_PROFILE\0", [2, 2], "no profile"))),
    "a comment in the words of decoders": (file) =>
      withBytes(file, 2, segment(0xfe, "premature end of file, truncated, unsupported image format")),
    "empty application segments": (file) => withBytes(file, 2, join(segment(0xe5, []), segment(0xef, []))),
    "a second picture behind it": (file) => make.withSecondPicture(file, file),
    "a second picture that is cut": (file) => make.withSecondPicture(file, file.subarray(0, 900)),
    "a second picture that is none": (file) => make.withSecondPicture(file, join([0xff, 0xd8, 0xff, 0xe1], "noise")),
    "a film behind it": (file) => join(file, [0, 0, 0, 24], "ftypmp42 not much of a film"),
  });

  test("fewer rows in its header than in its data", async () => {
    const file = await scene().jpeg({ chromaSubsampling: "4:4:4" }).toBuffer();
    const fewer = Buffer.from(file);
    fewer.writeUInt16BE(80, markerAt(file, 0xc0) + 5);
    const whole = await sharp(file).extract({ left: 0, top: 0, width: 160, height: 80 }).png().toBuffer();
    expect((await pixelsOf(fewer)) === (await pixelsOf(whole))).toBe(true);
  });
});

describe("progressive JPEG", () => {
  sameAs(progressive, {
    "bytes before its end": (file) => withBytes(file, file.length - 2, [1, 2, 3, 4, 5]),
    "bytes before a table": (file) => withBytes(file, markerAt(file, 0xc4, afterSos(file)), [1, 2, 3]),
    "no end marker": (file) => file.subarray(0, -2),
    "a second picture that is cut": (file) => make.withSecondPicture(file, file.subarray(0, 900)),
  });
});

describe("JPEG with restart markers", () => {
  sameAs(jpegWithRestarts, {
    "bytes before one": (file) => withBytes(file, markerAt(file, 0xd3), [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    "bytes before all": (file) => {
      let odd = file;
      for (let code = 0xd0; code < 0xd8; code++) odd = withBytes(odd, markerAt(odd, code), [0x55, code]);
      return odd;
    },
    "one more behind the last blocks": (file) => withBytes(file, file.length - 2, [0xff, 0xd6]),
  });
});

describe("PNG", () => {
  const behindHeader = 33;
  for (const [kind, options] of Object.entries({
    rows: {},
    passes: { progressive: true },
    palette: { palette: true },
  })) {
    describe(kind, () => {
      sameAs(() => scene().png(options).toBuffer(), {
        "a wrong check sum of a text": (file) => withBytes(file, behindHeader, chunk("tEXt", "Title\0mine", false)),
        "a wrong check sum of a time": (file) =>
          withBytes(file, dataOf(file), chunk("tIME", "\x07\xe8\x01\x01\0\0\0", false)),
        "a wrong check sum of a profile": (file) => withBytes(file, behindHeader, chunk("iCCP", "p\0\0none", false)),
        "a profile of noise": (file) => withBytes(file, behindHeader, chunk("iCCP", "p\0\0none at all")),
        "compressed text of noise": (file) => withBytes(file, behindHeader, chunk("zTXt", "Comment\0\0none at all")),
        "EXIF of noise": (file) => withBytes(file, behindHeader, chunk("eXIf", "none at all")),
        "chunks that nobody knows": (file) => withBytes(file, behindHeader, chunk("prVt", "truncated")),
        "a resolution twice": (file) =>
          withBytes(
            file,
            behindHeader,
            join(chunk("pHYs", "\0\0\0\0\0\0\0\0\x01"), chunk("pHYs", "\0\0\0\0\0\0\0\0\x01")),
          ),
        "a wrong check sum of its end": (file) => join(file.subarray(0, -12), chunk("IEND", "", false)),
        "no end": (file) => file.subarray(0, -12),
        "bytes behind its end": (file) => join(file, "more than there should be"),
      });
    });
  }
});

describe("WebP", () => {
  for (const [kind, options] of Object.entries({ lossy: {}, lossless: { lossless: true } })) {
    describe(kind, () => {
      sameAs(() => scene().webp(options).toBuffer(), {
        "a chunk that nobody knows": (file) => sized(join(file, "noIs", [4, 0, 0, 0, 1, 2, 3, 4])),
        "a length that is too long": (file) => over(file, 4, [0, 0, 1, 0]),
        "bytes behind its end": (file) => join(file, Buffer.alloc(99, 7)),
        "EXIF of noise": (file) => sized(join(file, "EXIF", [4, 0, 0, 0, 1, 2, 3, 4])),
      });
    });
  }
  sameAs(moving("webp"), { "a second frame that is cut": (file) => file.subarray(0, file.length - 300) });
});

describe("GIF", () => {
  sameAs(() => scene().gif().toBuffer(), {
    "bytes behind its end": (file) => join(file, "more"),
    "no end": (file) => file.subarray(0, -1),
    "an extension that nobody knows": (file) => withBytes(file, file.indexOf(0x2c, 13 + 768), [0x21, 0x77, 2, 1, 2, 0]),
  });
  sameAs(moving("gif"), { "a second frame that is cut": (file) => file.subarray(0, file.length - 300) });
});

describe("TIFF", () => {
  const plain = async () => (await tiff()).file;
  const text = (words: string) => ({ type: 2, count: words.length, value: Buffer.from(words, "latin1") });
  sameAs(plain, {
    "tags that are not sorted": async () =>
      (await tiff([{ tag: 254, type: 4, count: 1, value: 0 }], { sorted: false })).file,
    "a page number of one value": async () => (await tiff([{ tag: 297, type: 3, count: 1, value: 0 }])).file,
    "a description with zero bytes": async () => (await tiff([{ tag: 270, ...text("a picture\0of mine\0\0") }])).file,
    "a description without an end": async () => (await tiff([{ tag: 270, ...text("truncated, unsupported") }])).file,
    "a description behind the end": async () => (await tiff([{ tag: 270, type: 2, count: 99, value: 1_000_000 }])).file,
    "a tag that nobody knows": async () => (await tiff([{ tag: 65_000, type: 4, count: 1, value: 7 }])).file,
    "a tag of a type that nobody knows": async () => (await tiff([{ tag: 65_001, type: 77, count: 1, value: 7 }])).file,
    "a second description": async () => (await tiff([1, 2].map(() => ({ tag: 270, ...text("a picture\0") })))).file,
    "orientation 0": async () => (await tiff([{ tag: 274, type: 3, count: 1, value: 0 }])).file,
    "orientation 9": async () => (await tiff([{ tag: 274, type: 3, count: 1, value: 9 }])).file,
    "a resolution of 0 / 0": async () => (await tiff([{ tag: 282, type: 5, count: 1, value: Buffer.alloc(8) }])).file,
    "EXIF behind the end": async () => (await tiff([{ tag: 34_665, type: 4, count: 1, value: 1_000_000 }])).file,
    "a profile of noise": async () =>
      (await tiff([{ tag: 34_675, type: 7, count: 6, value: Buffer.from("noise!") }])).file,
    "a second directory behind the end": async () => (await tiff([], { next: 1_000_000 })).file,
    "bytes behind its end": (file) => join(file, "more"),
  });
});

/** A RIFF file whose length is right. */
function sized(file: Buffer): Buffer {
  const copy = Buffer.from(file);
  copy.writeUInt32LE(copy.length - 8, 4);
  return copy;
}

/** An animation of three frames. */
function moving(format: "gif" | "webp") {
  return async () => {
    const frames = await Promise.all([0, 90, 180].map((hue) => scene().modulate({ hue }).png().toBuffer()));
    return sharp(frames, { join: { animated: true } })
      .toFormat(format)
      .toBuffer();
  };
}
