import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { listFolder } from "../../../../../models/data/files/folder.ts";
import { decode, type PictureError } from "../../../../../models/data/index.ts";
import { at, below, box, halves, long, losslessJpeg, numbers, short, type Tags, tiffFile } from "./raw-files.ts";

// No camera's file is at hand: these are laid out as ExifTool documents those of each maker.
const full = await halves(640, 480);
const middle = await halves(520, 390);
const thumbnail = await halves(160, 120);
const jpeg = (blob: Buffer): Tags => ({ 513: at(blob), 514: long(blob.length) });
const strip = (blob: Buffer, compression: number, how?: number): Tags => ({
  259: short(compression),
  262: how === undefined ? undefined : short(how),
  273: at(blob),
  279: long(blob.length),
});
const samples = Buffer.alloc(4000, 0x5a);

const cr2 = (orientation: number) =>
  tiffFile(
    [
      { ...strip(full, 6), 274: short(orientation) },
      jpeg(thumbnail),
      strip(samples, 1, 2),
      { ...strip(losslessJpeg, 6), 50752: short(1, 2, 3) },
    ],
    { header: "CR\x02\0\0\0\0\0" },
  );
const small = { 254: long(1), 256: long(160), 257: long(120), ...strip(samples, 1, 2) };
const raw = strip(samples, 34713, 32803);

function cr3(orientation: number): Buffer {
  const settings = tiffFile([{ 274: short(orientation) }]);
  const uuid = (name: string, ...content: Buffer[]) => box("uuid", Buffer.from(name, "hex"), ...content);
  const type = box("ftyp", Buffer.from("crx \0\0\0\x01crx isom", "latin1"));
  const build = (start: number) => {
    const canon = uuid("85c0b687820f11e08111f4ce462b6a48", box("CMT1", settings), box("THMB", thumbnail));
    const table = box("stbl", box("stsz", numbers(0, 0, 1, full.length)), box("co64", numbers(0, 1, 0, start)));
    return box("moov", canon, box("trak", box("mdia", box("minf", table))));
  };
  const preview = box("PRVW", Buffer.alloc(16), middle);
  const own = uuid("eaf42b5e1c984b88b9fbb7dc406e4d16", Buffer.alloc(8), preview);
  const start = type.length + build(0).length + own.length + 8;
  return Buffer.concat([type, build(start), own, box("mdat", full, samples)]);
}

async function raf(orientation: number): Promise<Buffer> {
  const own = await sharp(full).withMetadata({ orientation }).jpeg().toBuffer();
  const head = Buffer.alloc(160);
  head.write("FUJIFILMCCD-RAW 0201FF383501X-T1", "latin1");
  head.writeUInt32BE(160, 84);
  head.writeUInt32BE(own.length, 88);
  return Buffer.concat([head, own, samples]);
}

/** By the name of the file; each with an orientation. */
const layouts: Record<string, (orientation: number) => Buffer | Promise<Buffer>> = {
  "a.CR2": cr2,
  "a.nef": (o) => tiffFile([{ ...small, 274: short(o), 330: below(jpeg(full), raw) }], { magic: "MM\0*", big: true }),
  "a.arw": (o) =>
    tiffFile([
      { ...jpeg(middle), 254: long(1), 274: short(o), 330: below(strip(samples, 32767, 32803)) },
      jpeg(thumbnail),
      jpeg(full),
    ]),
  "a.dng": (o) =>
    tiffFile([
      {
        ...small,
        274: short(o),
        50706: { bytes: Buffer.from([1, 4, 0, 0]) },
        330: below(strip(losslessJpeg, 7, 32803), strip(full, 7, 6), strip(middle, 7, 6)),
      },
    ]),
  "a.pef": (o) =>
    tiffFile([{ ...strip(samples, 65535, 32803), 274: short(o) }, jpeg(thumbnail), jpeg(full)], {
      magic: "MM\0*",
      big: true,
    }),
  // In the maker's notes, whose offsets are their own.
  "a.orf": (o) =>
    tiffFile(
      [
        {
          ...strip(samples, 1, 32803),
          274: short(o),
          34665: below({ 37500: { bytes: Buffer.concat([Buffer.from("OLYMPUS\0II\x03\0"), thumbnail, full]) } }),
        },
      ],
      {
        magic: "IIRO",
      },
    ),
  "a.rw2": (o) => tiffFile([{ 46: { bytes: full }, 274: short(o), 280: long(40) }], { magic: "IIU\0" }),
  "a.cr3": cr3,
  "a.raf": raf,
};

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "acutance-raw-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isRed = (pixel: readonly number[]) => pixel[0]! > 200 && pixel[2]! < 60;

describe("the largest preview of a raw photograph is shown, upright", () => {
  test.each(Object.keys(layouts))("%s", async (name) => {
    for (const [orientation, size, redAt] of [
      [1, [640, 480], "left"],
      [3, [640, 480], "right"],
      [6, [480, 640], "top"],
      [8, [480, 640], "bottom"],
    ] as const) {
      const { width, height, pixels } = await decode(await layouts[name]!(orientation), { name });
      expect([width, height]).toEqual([...size]);
      const pixel = (x: number, y: number) => [...pixels.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
      const places = {
        left: pixel(10, height >> 1),
        right: pixel(width - 10, height >> 1),
        top: pixel(width >> 1, 10),
        bottom: pixel(width >> 1, height - 10),
      };
      expect(isRed(places[redAt])).toBe(true);
      expect(Object.values(places).filter(isRed).length).toBeLessThan(4);
    }
  });

  describe("colours of Adobe RGB, told by EXIF alone, are those that are shown", async () => {
    const [r, g, b] = [100, 150, 90];
    const plain = await sharp({ create: { width: 640, height: 480, channels: 3, background: { r, g, b } } })
      .jpeg({ quality: 100 })
      .toBuffer();
    const exif = (space: number, index: string, below_: typeof below = below): Tags => ({
      40961: short(space),
      40965: below_({ 1: { bytes: Buffer.from(`${index}\0`) } }),
    });
    const ownExif = (tags: Tags) => {
      const body = Buffer.concat([Buffer.from("Exif\0\0"), tiffFile([{ 34665: below(tags) }])]);
      const head = Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, 0]);
      head.writeUInt16BE(body.length + 2, 4);
      return Buffer.concat([head, body, plain.subarray(2)]);
    };
    const nef = (blob: Buffer, tags?: Tags) =>
      tiffFile([{ ...small, 330: below(jpeg(blob), raw), 34665: tags && below(tags) }]);
    // Adobe RGB to XYZ and XYZ to sRGB, both under D65 (Lindbloom, RGB/XYZ Matrices).
    const light = [r, g, b].map((value) => (value / 255) ** 2.19921875) as [number, number, number];
    const times = (rows: readonly number[][], v: readonly number[]) =>
      rows.map((row) => row.reduce((sum, value, i) => sum + value * v[i]!, 0));
    const xyz = times(
      [
        [0.5767309, 0.185554, 0.1881852],
        [0.2973769, 0.6273491, 0.0752741],
        [0.0270343, 0.0706872, 0.9911085],
      ],
      light,
    );
    const linear = times(
      [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.969266, 1.8760108, 0.041556],
        [0.0556434, -0.2040259, 1.0572252],
      ],
      xyz,
    );
    const adobe = linear.map((x) =>
      Math.round(255 * (x <= 0.0031308 ? 12.92 * Math.max(0, x) : 1.055 * x ** (1 / 2.4) - 0.055)),
    );

    const settings = (tags: Tags) => {
      const file = cr3(1);
      const box2 = box("CMT2", tiffFile([tags]));
      const behind = file.indexOf("CMT1", 0, "latin1") - 4;
      const at = behind + file.readUInt32BE(behind);
      const grown = Buffer.concat([file.subarray(0, at), box2, file.subarray(at)]);
      for (const name of ["moov", "uuid"]) {
        const place = grown.indexOf(name, 0, "latin1") - 4;
        grown.writeUInt32BE(grown.readUInt32BE(place) + box2.length, place);
      }
      return grown;
    };

    test.each([
      ["in the EXIF of the photograph", nef(plain, exif(65535, "R03")), adobe],
      ["in that of the preview", nef(ownExif(exif(65535, "R03"))), adobe],
      ["by the number that some give it", nef(plain, exif(2, "R98")), adobe],
      ["not, where it is another space without a number", nef(plain, exif(65535, "R98")), [r, g, b]],
      ["not, in sRGB", nef(plain, exif(1, "R98")), [r, g, b]],
      [
        "not, where the preview has a profile",
        nef(await sharp(plain).withIccProfile("srgb").jpeg({ quality: 100 }).toBuffer(), exif(65535, "R03")),
        [r, g, b],
      ],
    ] as const)("%s", async (_, bytes, colour) => {
      const { pixels } = await decode(bytes);
      for (const [i, value] of colour.entries()) expect(Math.abs(pixels[i]! - value)).toBeLessThanOrEqual(2);
    });

    test("in a box of a CR3", async () => {
      const [told, untold] = [settings(exif(65535, "R03")), settings(exif(1, "R98"))];
      const red = async (bytes: Uint8Array) => (await decode(bytes)).pixels[3 * (10 + 640 * 240) + 1]!;
      // Red of Adobe RGB lies outside of sRGB: it is cut, and what comes with it is not.
      expect((await decode(told)).pixels).not.toEqual((await decode(untold)).pixels);
      expect(await red(untold)).toBeLessThan(3);
    });
  });

  test("folders list them by what is in them", async () => {
    for (const [name, make] of Object.entries(layouts)) writeFileSync(join(folder, name), await make(1));
    writeFileSync(join(folder, "b.NEF"), "no photograph");
    const { pictures, leftOut } = await listFolder(folder);
    expect(pictures).toEqual(Object.keys(layouts).sort());
    expect(leftOut.map(({ name }) => name)).toEqual(["b.NEF"]);
  });
});

describe("what has no preview is an error that says so", () => {
  const failure = (bytes: Uint8Array) =>
    decode(bytes, { name: "a.raw" }).then(
      () => undefined,
      (error: PictureError) => error,
    );

  test.each([
    ["none", tiffFile([{ ...strip(samples, 65535, 32803) }]), "It is a raw photograph without a JPEG preview."],
    [
      "a thumbnail",
      tiffFile([{ ...small, 330: below(raw, jpeg(thumbnail)) }]),
      "no preview but a thumbnail of 160 x 120",
    ],
    [
      "one that is cut off",
      tiffFile([{ ...small, 330: below(raw, { 513: long(40), 514: long(1e6) }) }]),
      "without a JPEG preview",
    ],
    ["a Fujifilm's head", Buffer.from("FUJIFILMCCD-RAW 0201"), "(Fujifilm RAF) without a JPEG preview"],
    ["a CR3's head", box("ftyp", Buffer.from("crx \0\0\0\x01", "latin1")), "(Canon CR3) without a JPEG preview"],
    ["a CR2's head", cr2(1).subarray(0, 40), "(Canon CR2) without a JPEG preview"],
  ])("%s", async (_, bytes, detail) => {
    expect(await failure(bytes)).toMatchObject({ reason: "unsupported", detail: expect.stringContaining(detail) });
  });

  test("directories in a circle, and files cut anywhere, end", async () => {
    const circle = tiffFile([{ ...strip(samples, 65535, 32803) }]);
    const directory = circle.readUInt32LE(4);
    circle.writeUInt32LE(directory, directory + 2 + 12 * circle.readUInt16LE(directory));
    expect(await failure(circle)).toMatchObject({ reason: "unsupported" });
    const whole = [cr2(6), cr3(6)];
    for (const file of whole) {
      for (let end = 0; end < file.length; end += 997) {
        const error = await failure(file.subarray(0, end));
        expect(error === undefined || error.name === "PictureError").toBe(true);
      }
    }
  });

  test("a preview whose end is missing is truncated", async () => {
    const cut = full.subarray(0, full.length - 400);
    const error = await failure(tiffFile([{ ...strip(samples, 65535, 32803) }, jpeg(cut)]));
    expect(error?.reason).toMatch(/truncated|damaged/);
  });
});

test("TIFFs that are no raw photographs stay what they are", async () => {
  const create = { width: 20, height: 10, channels: 3, background: "#123456" } as const;
  const tiff = await sharp({ create }).tiff({ pyramid: true, tile: true }).toBuffer();
  expect(await decode(tiff)).toMatchObject({ width: 20, height: 10 });
});
