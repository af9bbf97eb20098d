import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { Random } from "../../../engine/random.ts";
import type { PictureReason } from "../../../models/data/index.ts";
import { type CplOptionsInput, cplOptions } from "../../../models/methods/cpl/options.ts";
import { QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { openScorer, type PictureScore } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";

/** Writes a small model with drawn weights and returns its path. */
export async function smallModel(folder: string, name = "small", input: CplOptionsInput = {}): Promise<string> {
  const options = cplOptions({ stages: 1, embedding: 16, levels: 20, resize: 36, crop: 32, ...input });
  const model = new QualityNetwork(await sharedDevice(), options);
  const path = join(folder, `${name}.safetensors`);
  await saveModel(path, model, { options, range: [0, 100], history: ["drawn weights"], fresh: [] });
  model.dispose();
  return path;
}

/** Files of noise, each of its own blur and size: PNG and JPEG by turns. */
export async function noisePictures(count: number): Promise<Uint8Array[]> {
  const random = new Random(11, "noise");
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const [width, height] = [40 + (i % 7), 44 - (i % 5)];
      const pixels = Uint8Array.from({ length: width * height * 3 }, () => random.integer(256));
      const image = sharp(pixels, { raw: { width, height, channels: 3 } }).blur(0.3 + 0.2 * i);
      return new Uint8Array(await (i % 2 === 0 ? image.png() : image.jpeg({ quality: 90 })).toBuffer());
    }),
  );
}

/** Pictures that cannot be scored, by the reason that their PictureError gives. */
export async function badPictures(): Promise<Record<string, { bytes: Uint8Array; reason: PictureReason }>> {
  const [png, jpeg] = await noisePictures(2);
  const damaged = png!.slice();
  damaged.fill(0x55, png!.length / 2, png!.length / 2 + 60);
  return {
    "zero bytes": { bytes: new Uint8Array(), reason: "empty" },
    "a text": { bytes: new TextEncoder().encode("no picture at all, only words"), reason: "not-a-picture" },
    "a truncated JPEG": { bytes: jpeg!.subarray(0, jpeg!.length - 300), reason: "truncated" },
    "a damaged PNG": { bytes: damaged, reason: "damaged" },
    "a small file of giant size": { bytes: blackPng(12_000), reason: "too-large" },
    "an SVG": {
      bytes: new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      reason: "unsupported",
    },
  };
}

/** A whole PNG of side x side black pixels, a bit each: a few kilobytes. */
function blackPng(side: number): Uint8Array {
  const chunk = (type: string, data: Uint8Array) => {
    const named = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 1;
  const rows = deflateSync(Buffer.alloc(side * (1 + Math.ceil(side / 8))));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return new Uint8Array(
    Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", new Uint8Array())]),
  );
}

/** Small files of every kind whose header says that they are a giant's, and no more than the header is right. */
export async function giants(): Promise<Record<string, Buffer>> {
  const side = 16_000;
  const image = () => sharp({ create: { width: 16, height: 16, channels: 3, background: "teal" } });
  const png = await image().png().toBuffer();
  for (const at of [16, 20]) png.writeUInt32BE(side, at);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  const jpeg = await image().jpeg().toBuffer();
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  for (const at of [5, 7]) jpeg.writeUInt16BE(side, frame + at);
  const gif = await image().gif().toBuffer();
  const descriptor = gif.indexOf(0x2c, 13 + 3 * 2 ** ((gif[10]! & 7) + 1));
  for (const at of [6, 8, descriptor + 5, descriptor + 7]) gif.writeUInt16LE(side, at);
  const webp = await image().webp().toBuffer();
  for (const at of [26, 28]) webp.writeUInt16LE(side, at);
  const avif = await image().avif({ effort: 0 }).toBuffer();
  for (const at of [8, 12]) avif.writeUInt32BE(side, avif.indexOf("ispe") + at);
  const tiff = await image().tiff({ compression: "deflate" }).toBuffer();
  const tags = tiff.readUInt32LE(4);
  for (let i = 0, at = tags + 2; i < tiff.readUInt16LE(tags); i++, at += 12) {
    if (![256, 257].includes(tiff.readUInt16LE(at))) continue;
    tiff.writeUInt16LE(4, at + 2); // a number of 32 bits
    tiff.writeUInt32LE(side, at + 8);
  }
  const bmp = Buffer.alloc(54);
  bmp.write("BM");
  for (const [at, value] of [
    [10, 54],
    [14, 40],
    [18, side],
    [22, side],
    [26, 1 + 24 * 2 ** 16],
  ] as const) {
    bmp.writeUInt32LE(value, at);
  }
  return { png, jpeg, gif, webp, avif, tiff, bmp };
}

/** Opens real devices and can lose the last one. */
export function devices() {
  const opened: Device[] = [];
  return {
    opened,
    open: async () => {
      const device = await openDevice();
      opened.push(device);
      return device;
    },
    lose: () => opened.at(-1)!.gpu.destroy(),
  };
}

/** A score without the part that is never the same. */
export function lasting<T extends { milliseconds: number }>({ milliseconds, ...score }: T): Omit<T, "milliseconds"> {
  if (!(milliseconds > 0)) throw new Error(`a score took ${milliseconds} ms`);
  return score;
}

/** A small model in a folder, pictures, and the scores that the library gives them, each alone. */
export async function knownScores(folder: string, count: number) {
  const model = await smallModel(folder);
  const pictures = (await noisePictures(count)) as Uint8Array<ArrayBuffer>[];
  const expected: number[] = [];
  await using scorer = await openScorer({ model, device: await sharedDevice() });
  for (const picture of pictures) expected.push((await scorer.score(picture)).score);
  return { model, pictures, expected };
}

/** The same with a folder of its own and a scorer that stays open, for the tests of a file; `close` ends both. */
export async function openKnown(count: number) {
  const folder = await mkdtemp(join(tmpdir(), "acutance-scorer-"));
  const model = await smallModel(folder);
  const pictures = await noisePictures(count);
  const scorer = await openScorer({ model, device: await sharedDevice() });
  const alone: PictureScore[] = [];
  for (const picture of pictures) alone.push(await scorer.score(picture));
  const close = async () => {
    await scorer.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, model, pictures, scorer, alone, close };
}

/** The bytes in a buffer of their own. */
export const copyOf = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;

/** What a promise rejects with. */
export const failure = (promise: Promise<unknown>) => promise.then(String, (error) => error);
