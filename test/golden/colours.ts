// Writes colours.json: small pictures that tell their colours in many ways, and their pixels as Chromium shows them on white.
// Needs avifenc and avifdec of libavif. Run from the root:  bun test/golden/colours.ts > test/golden/colours.json
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../engine/random.ts";
import {
  chrm,
  chunk,
  cicp,
  type Grid,
  gama,
  iccp,
  pngFile,
  powerCurve,
  profileFile,
  srgb,
  xyz,
} from "../models/data/pictures/picture-files.ts";
import { launch } from "../models/report/chromium.ts";

const [width, height] = [16, 24];
const random = new Random(20251128, "colours");
// Every grey, then colours of all kinds.
const rgb = Array.from({ length: width * height }, (_, i) =>
  i < 256 ? [i, i, i] : [random.integer(256), random.integer(256), random.integer(256)],
);
const alphas = rgb.map(() => random.integer(256));
const grid = (pixels: readonly (readonly number[])[], bits: 8 | 16 = 8): Grid => ({
  width,
  height,
  bits,
  channels: pixels[0]!.length as Grid["channels"],
  // The lower byte is any.
  values: pixels.flatMap((pixel) => pixel.map((value) => (bits === 8 ? value : 256 * value + random.integer(256)))),
});
const grey = rgb.map(([red]) => [red!]);
const withAlpha = (pixels: readonly (readonly number[])[]) => pixels.map((pixel, i) => [...pixel, alphas[i]!]);

const d65 = [0.3127, 0.329];
const srgbPoints = [...d65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06];
const p3Points = [...d65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06];
// D50-adapted columns of Display P3, and of a space that swaps red and green.
const p3Columns = {
  rXYZ: xyz(0.5151, 0.2412, -0.0011),
  gXYZ: xyz(0.292, 0.6922, 0.0419),
  bXYZ: xyz(0.1571, 0.0666, 0.7841),
};
const curves = (curve: Buffer) => ({ rTRC: curve, gTRC: curve, bTRC: curve });
const para = (type: number, ...values: number[]) => {
  const bytes = Buffer.alloc(12 + 4 * values.length);
  bytes.write("para", "latin1");
  bytes.writeUInt16BE(type, 8);
  for (const [i, value] of values.entries()) bytes.writeInt32BE(Math.round(value * 65536), 12 + 4 * i);
  return bytes;
};
const table = Buffer.concat([
  Buffer.from("curv\0\0\0\0\0\0\x01\0", "latin1"),
  ...Array.from({ length: 256 }, (_, i) => {
    const value = Math.round(65535 * (i / 255) ** 1.6);
    return Buffer.from([value >> 8, value & 255]);
  }),
]);
const srgbPara = para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045);
const p3 = profileFile("RGB ", { ...curves(powerCurve(2.2)), ...p3Columns });
const p3Exact = profileFile("RGB ", { ...curves(srgbPara), ...p3Columns });
const greyProfiles = {
  linear: profileFile("GRAY", { kTRC: powerCurve(1) }),
  "a power of 1.8": profileFile("GRAY", { kTRC: powerCurve(1.8) }),
  "a table": profileFile("GRAY", { kTRC: table }),
  "a formula": profileFile("GRAY", { kTRC: srgbPara }),
};

const files: Record<string, { readonly type: string; readonly bytes: Uint8Array }> = {};
const png = (name: string, picture: Grid, ...chunks: Uint8Array[]) => {
  files[`PNG, ${name}`] = { type: "image/png", bytes: pngFile(picture, chunks) };
};
for (const primaries of [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22])
  png(`cICP ${primaries}/13`, grid(rgb), cicp(primaries, 13));
for (const transfer of [1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15, 17])
  png(`cICP 1/${transfer}`, grid(rgb), cicp(1, transfer));
png("cICP 12/13, 16 bits", grid(rgb, 16), cicp(12, 13));
png("cICP 12/13, alpha", grid(withAlpha(rgb)), cicp(12, 13));
png("cICP 12/13, 16 bits and alpha", grid(withAlpha(rgb), 16), cicp(12, 13));
png("cICP 1/8, grey", grid(grey), cicp(1, 8));
png("cICP 1/8, 16 bits of grey and alpha", grid(withAlpha(grey), 16), cicp(1, 8));
png("cICP 12/13 of a narrow range", grid(rgb), cicp(12, 13, 0, 0));
png("cICP 12/13 before sRGB", grid(rgb), srgb(), cicp(12, 13));
png("cICP 1/8 before a profile", grid(rgb), cicp(1, 8), iccp(p3));
png("cICP 1/13 before a profile", grid(rgb), cicp(1, 13), iccp(p3));
png("cICP that means nothing, and gAMA", grid(rgb), cicp(2, 13), gama(100000));
png("cICP with a wrong checksum", grid(rgb), Buffer.concat([cicp(12, 13).subarray(0, -1), Buffer.from([0])]));
for (const gamma of [0, 30000, 43000, 43400, 45455, 47500, 48000, 55556, 100000])
  png(`gAMA ${gamma}`, grid(rgb), gama(gamma));
png("gAMA 45455 and cHRM of sRGB", grid(rgb), gama(45455), chrm(srgbPoints));
png("gAMA 45455 and cHRM of Display P3", grid(rgb), gama(45455), chrm(p3Points));
png("gAMA 100000 and cHRM of Display P3, 16 bits and alpha", grid(withAlpha(rgb), 16), gama(100000), chrm(p3Points));
png("cHRM alone", grid(rgb), chrm(p3Points));
png("gAMA and cHRM of nothing", grid(rgb), gama(100000), chrm([0, 0, 0, 0, 0, 0, 0, 0]));
png("gAMA and cHRM of one point", grid(rgb), gama(100000), chrm([0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]));
png("gAMA below sRGB", grid(rgb), gama(100000), srgb());
png("gAMA beside an sRGB of no intent", grid(rgb), gama(100000), chunk("sRGB", [9]));
png("gAMA twice", grid(rgb), gama(100000), gama(45455));
png("gAMA, grey", grid(grey), gama(100000));
png("gAMA, 16 bits of grey", grid(grey, 16), gama(100000));
png("gAMA, grey and alpha", grid(withAlpha(grey)), gama(100000));
png("a profile of Display P3", grid(rgb), iccp(p3Exact));
png("a profile before gAMA and sRGB", grid(rgb), srgb(), gama(100000), iccp(p3));
png("a profile, 16 bits", grid(rgb, 16), iccp(p3));
png("a profile, 16 bits and alpha", grid(withAlpha(rgb), 16), iccp(p3Exact));
png("a profile that is none, and gAMA", grid(rgb), gama(100000), iccp(Buffer.from("none")));
png("a profile of three colours, grey", grid(grey), iccp(p3));
png("a profile of three colours, 16 bits of grey", grid(grey, 16), iccp(p3));
png("a profile of grey, RGB", grid(rgb), iccp(greyProfiles.linear));
for (const [name, profile] of Object.entries(greyProfiles)) {
  png(`a profile of grey by ${name}`, grid(grey), iccp(profile));
  png(`a profile of grey by ${name}, 16 bits`, grid(grey, 16), iccp(profile));
  png(`a profile of grey by ${name}, alpha`, grid(withAlpha(grey)), iccp(profile));
}
png("16 bits", grid(rgb, 16));
png("16 bits and alpha", grid(withAlpha(rgb), 16));
png("16 bits of grey and alpha", grid(withAlpha(grey), 16));

// Softer colours: the conversion of YCbCr that browsers and the decoder round differently tells less beside them.
const soft = rgb.flatMap((pixel) => pixel.map((value) => 64 + (value >> 1)));
const avif = await sharp(Uint8Array.from(soft), { raw: { width, height, channels: 3 } })
  .avif({ lossless: true, chromaSubsampling: "4:4:4" })
  .toBuffer();
const deepAvif = await sharp(
  Uint16Array.from(soft, (value) => 257 * value),
  { raw: { width, height, channels: 3 } },
)
  .toColourspace("rgb16")
  .avif({ lossless: true, chromaSubsampling: "4:4:4", bitdepth: 10 })
  .toBuffer();
function boxAt(bytes: Buffer): number {
  const at = bytes.indexOf("colrnclx");
  if (at < 0) throw new Error("there is no colour box");
  return at;
}
/** An AVIF whose colour box has other primaries and another transfer. */
function patched(bytes: Buffer, primaries: number, transfer: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = boxAt(copy) + 8;
  copy.set([0, primaries, 0, transfer], at);
  return copy;
}
/** By libavif's encoder, without a colour box: only the stream of AV1 tells the colours. */
function inStream(codePoints: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "acutance-golden-"));
  const [from, to] = [join(folder, "a.png"), join(folder, "a.avif")];
  writeFileSync(from, pngFile({ width, height, channels: 3, bits: 8, values: soft }));
  execFileSync("avifenc", ["--yuv", "444", "--min", "0", "--max", "0", "--cicp", codePoints, from, to]);
  const bytes = readFileSync(to);
  rmSync(folder, { recursive: true });
  bytes.write("free", boxAt(bytes), "latin1");
  return bytes;
}
const nclx = (name: string, bytes: Uint8Array) => {
  files[`AVIF, ${name}`] = { type: "image/avif", bytes };
};
for (const [primaries, transfer] of [
  [1, 13],
  [1, 1],
  [1, 2],
  [2, 2],
  [12, 13],
  [12, 1],
  [12, 2],
  [9, 14],
  [9, 1],
  [6, 6],
  [5, 4],
  [1, 8],
  [1, 7],
  [1, 17],
  [22, 13],
  [99, 13],
] as const)
  nclx(`nclx ${primaries}/${transfer}`, patched(avif, primaries, transfer));
nclx("nclx 12/13, 10 bits", patched(deepAvif, 12, 13));
nclx("code points in the stream: 12/13", inStream("12/13/6"));
nclx("code points in the stream: 9/1", inStream("9/1/9"));
nclx("a profile", await sharp(avif).withIccProfile("p3").avif({ lossless: true }).toBuffer());

const jpegOptions = { quality: 100, chromaSubsampling: "4:4:4" } as const;
const jpeg = (name: string, bytes: Uint8Array) => {
  files[`JPEG, ${name}`] = { type: "image/jpeg", bytes };
};
/** A JPEG with a profile put behind its start. */
function withProfile(bytes: Buffer, profile: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from("ICC_PROFILE\0\x01\x01", "latin1"), profile]);
  const head = Buffer.from([0xff, 0xe2, (body.length + 2) >> 8, (body.length + 2) & 255]);
  return Buffer.concat([bytes.subarray(0, 2), head, body, bytes.subarray(2)]);
}
const greyJpeg = await sharp(Uint8Array.from(grey.flat()), { raw: { width, height, channels: 1 } })
  .toColourspace("b-w")
  .jpeg(jpegOptions)
  .toBuffer();
jpeg("a profile of grey", withProfile(greyJpeg, greyProfiles.linear));
jpeg("a profile of three colours, grey", withProfile(greyJpeg, p3));
const inks = await sharp(Uint8Array.from(soft), { raw: { width, height, channels: 3 } })
  .toColourspace("cmyk")
  .jpeg(jpegOptions)
  .toBuffer();
jpeg("inks without a profile", inks);

/** A frame that lies on a larger canvas. */
const gif = await sharp(Uint8Array.from(soft), { raw: { width, height, channels: 3 } })
  .gif({ dither: 0 })
  .toBuffer();
const smallFrame = Buffer.from(gif);
smallFrame.writeUInt16LE(width + 9, 6);
smallFrame.writeUInt16LE(height + 8, 8);
const descriptor = smallFrame.lastIndexOf(Buffer.from([0x2c, 0, 0, 0, 0, width, 0, height, 0]));
if (descriptor < 0) throw new Error("there is no frame");
smallFrame.writeUInt16LE(5, descriptor + 1);
smallFrame.writeUInt16LE(3, descriptor + 3);
files["GIF, a frame smaller than its canvas"] = { type: "image/gif", bytes: smallFrame };

/** A BMP of 32 bits with the longest header. */
function bmp(profile: Buffer, alphaMask: number): Buffer {
  const pixels = Buffer.alloc(4 * width * height);
  for (const [i, [red, green, blue]] of rgb.entries()) pixels.set([blue!, green!, red!, alphas[i]!], 4 * i);
  const header = Buffer.alloc(14 + 124);
  header.write("BM", "latin1");
  header.writeUInt32LE(header.length, 10);
  header.writeUInt32LE(124, 14);
  header.writeInt32LE(width, 18);
  // From the top row on.
  header.writeInt32LE(-height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(32, 28);
  header.writeUInt32LE(alphaMask, 14 + 52);
  header.writeUInt32LE(profile.length ? 0x4d424544 : 0x73524742, 14 + 56);
  header.writeUInt32LE(124 + pixels.length, 14 + 112);
  header.writeUInt32LE(profile.length, 14 + 116);
  return Buffer.concat([header, pixels, profile]);
}
const bitmap = (name: string, bytes: Uint8Array) => {
  files[`BMP, ${name}`] = { type: "image/bmp", bytes };
};
bitmap("a profile", bmp(p3, 0));
bitmap("a profile that is none", bmp(Buffer.alloc(200, 7), 0));
bitmap("alpha of the longest header", bmp(Buffer.alloc(0), 0xff000000));
bitmap("alpha and a profile", bmp(p3Exact, 0xff000000));

const browser = await launch();
const page = await browser.newPage();
const cases = [];
for (const [name, { type, bytes }] of Object.entries(files)) {
  const file = Buffer.from(bytes).toString("base64");
  const shown = await page.evaluate(`(async () => {
    const image = new Image();
    image.src = "data:${type};base64,${file}";
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { width, height, rgba: [...data] };
  })()`);
  const { rgba, ...size } = shown as { width: number; height: number; rgba: number[] };
  const pixels = Buffer.from(rgba.filter((_, i) => i % 4 < 3)).toString("base64");
  cases.push({ name, ...size, file, pixels });
}
/** Chromium stretches the alpha of libavif's encoder, so that libavif's decoder is asked instead. */
async function multiplied() {
  const folder = mkdtempSync(join(tmpdir(), "acutance-golden-"));
  const [from, to, back] = ["a.png", "a.avif", "b.png"].map((name) => join(folder, name)) as [string, string, string];
  writeFileSync(from, pngFile(grid(withAlpha(rgb))));
  execFileSync("avifenc", ["--premultiply", "--yuv", "444", "--min", "0", "--max", "0", "--cicp", "1/13/0", from, to]);
  execFileSync("avifdec", ["--depth", "8", to, back]);
  const file = readFileSync(to).toString("base64");
  const pixels = (await sharp(back).flatten({ background: "white" }).raw().toBuffer()).toString("base64");
  rmSync(folder, { recursive: true });
  return { file, pixels };
}

console.log(JSON.stringify({ chromium: browser.version(), cases, multiplied: await multiplied() }, undefined, 1));
await browser.close();
