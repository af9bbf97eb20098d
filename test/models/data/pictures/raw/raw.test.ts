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
