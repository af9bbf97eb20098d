import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { type Canvas, height, lookAlike, type Scene, sceneOf, subjectAt, width } from "./made-scenes.ts";
import { Numbers } from "./numbers.ts";

/** What is known of a picture of a made library. */
export interface MadePicture {
  readonly name: string;
  /** Moment that it shows: pictures of one belong together, and no others. */
  readonly moment: number;
  /** Whether no other of its moment is better. */
  readonly isBest: boolean;
  /** What was done to it. */
  readonly degraded: string;
}

export interface MadeLibrary {
  readonly pictures: readonly MadePicture[];
}

/** From here to a pipeline of a degraded frame; amounts are drawn. */
type Degradation = (frame: Buffer, numbers: Numbers) => Promise<{ pixels: Buffer; words: string; quality?: number }>;

const raw = { raw: { width, height, channels: 3 } } as const;
const pixelsOf = (pipeline: Sharp) => pipeline.removeAlpha().toColourspace("srgb").raw().toBuffer();

const degradations: Readonly<Record<string, Degradation>> = {
  async blur(frame, numbers) {
    const sigma = numbers.between(0.9, 3);
    return { pixels: await pixelsOf(sharp(frame, raw).blur(sigma)), words: `blur ${sigma.toFixed(1)} px` };
  },
  async motion(frame, numbers) {
    const length = 2 * numbers.below(5) + 5;
    const isAcross = numbers.chance(0.5);
    const kernel = Array.from({ length: length * length }, (_, i) => {
      const [x, y] = [i % length, Math.floor(i / length)];
      return Number(isAcross ? y === length >> 1 : x === length >> 1);
    });
    const smeared = sharp(frame, raw).convolve({ width: length, height: length, kernel, scale: length });
    return { pixels: await pixelsOf(smeared), words: `motion ${length} px ${isAcross ? "across" : "down"}` };
  },
  async noise(frame, numbers) {
    const deviation = numbers.between(12, 35);
    const pixels = Buffer.from(frame);
    for (let i = 0; i < pixels.length; i++) {
      pixels[i] = Math.max(0, Math.min(255, Math.round(frame[i]! + deviation * numbers.normal())));
    }
    return { pixels, words: `noise ${deviation.toFixed(0)}` };
  },
  async overexposed(frame, numbers) {
    const gain = numbers.between(1.7, 2.6);
    return { pixels: await pixelsOf(sharp(frame, raw).linear(gain, 0)), words: `gain ${gain.toFixed(2)}` };
  },
  async underexposed(frame, numbers) {
    const gain = numbers.between(0.15, 0.4);
    return { pixels: await pixelsOf(sharp(frame, raw).linear(gain, 0)), words: `gain ${gain.toFixed(2)}` };
  },
  async compression(frame, numbers) {
    const quality = 6 + numbers.below(14);
    return { pixels: frame, words: `quality ${quality}`, quality };
  },
};

/**
 * Writes a library of made pictures: bursts of 2 to 8 frames with shifts, crops, exposure, a subject that moves, and times of capture; of each moment one frame is as good as it
 * was made, the others are degraded. Further pictures stand alone, some moments have copies without EXIF, and a fifth of the moments is followed by one that looks alike, taken
 * a few seconds later with the same camera.
 * @param seed of all that is drawn: other seeds make other libraries
 */
export async function makeLibrary(folder: string, count: number, seed: number): Promise<MadeLibrary> {
  await mkdir(folder, { recursive: true });
  const pictures: MadePicture[] = [];
  const numbers = new Numbers(seed);
  let clock = Date.UTC(2024, 4, 1, 8);
  for (let moment = 0; pictures.length < count; moment++) {
    clock += 20_000 + 1000 * numbers.below(3600);
    const scene = sceneOf(numbers.word());
    clock = await addMoment(moment, scene, clock);
    if (!numbers.chance(0.2)) continue;
    // Sooner than a burst's gap in half of the cases.
    clock += 1000 * numbers.between(1, 6);
    clock = await addMoment(++moment, lookAlike(scene, numbers.word()), clock);
  }
  await writeFile(join(folder, "truth.json"), JSON.stringify({ pictures }));
  return { pictures };

  async function addMoment(moment: number, scene: Scene, start: number): Promise<number> {
    const canvas = await scene.draw();
    const frames = Math.min(numbers.chance(0.15) ? 1 : 2 + numbers.below(7), count - pictures.length);
    const best = numbers.below(Math.max(1, frames));
    const camera = ["Acme One", "Acme Two"][numbers.below(2)]!;
    let at = start;
    let good: Buffer | undefined;
    for (let i = 0; i < frames; i++) {
      const frame = await frameOf(canvas, scene, numbers, i);
      if (i === best) good = frame;
      const kinds = Object.keys(degradations);
      const kind = kinds[numbers.below(kinds.length)]!;
      const made = i === best ? { pixels: frame, words: "" } : await degradations[kind]!(frame, numbers);
      const name = `IMG_${String(pictures.length).padStart(5, "0")}.jpg`;
      await encoded(made, { at, camera }).toFile(join(folder, name));
      pictures.push({ name, moment, isBest: i === best, degraded: made.words });
      at += numbers.between(200, 1500);
    }
    if (good && numbers.chance(0.1) && pictures.length < count) {
      const side = numbers.between(0.4, 0.7);
      const name = `copy-${String(pictures.length).padStart(5, "0")}.jpg`;
      const copy = sharp(good, raw).resize(Math.round(side * width), Math.round(side * height));
      await copy.jpeg({ quality: 60 }).toFile(join(folder, name));
      pictures.push({ name, moment, isBest: false, degraded: `copy of ${side.toFixed(2)}` });
    }
    return at;
  }
}

/** A frame of a burst: the camera moves a little, the subject more, the exposure varies. */
async function frameOf(canvas: Canvas, scene: Scene, numbers: Numbers, index: number): Promise<Buffer> {
  const [marginX, marginY] = [canvas.width - width, canvas.height - height];
  const zoom = numbers.between(0.95, 1);
  const w = Math.round(width * zoom);
  const h = Math.round(height * zoom);
  const left = Math.round(marginX / 2 + numbers.between(-6, 6));
  const top = Math.round(marginY / 2 + numbers.between(-5, 5));
  const subject = subjectAt(scene, index * numbers.between(-3, 6), numbers.between(-2, 2));
  const whole = await sharp(canvas.pixels, { raw: { width: canvas.width, height: canvas.height, channels: 3 } })
    .composite([{ input: Buffer.from(subject), left: 0, top: 0 }])
    .raw()
    .toBuffer({ resolveWithObject: true });
  const frame = sharp(whole.data, { raw: whole.info })
    .extract({ left, top, width: w, height: h })
    .resize(width, height, { kernel: "lanczos3", fit: "fill" })
    .linear(numbers.between(0.93, 1.07), 0);
  return pixelsOf(frame);
}

function encoded({ pixels, quality = 92 }: { pixels: Buffer; quality?: number }, exif: { at: number; camera: string }) {
  const [date, time] = new Date(exif.at).toISOString().split("T");
  const [seconds, fraction] = time!.replace("Z", "").split(".");
  return sharp(pixels, raw)
    .withExif({
      IFD0: { Make: "Acme", Model: exif.camera },
      IFD2: { DateTimeOriginal: `${date!.replaceAll("-", ":")} ${seconds}`, SubSecTimeOriginal: fraction! },
    })
    .jpeg({ quality });
}
