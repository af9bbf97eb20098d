import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../../engine/random.ts";
import type { CplOptionsInput } from "../../../models/methods/cpl/options.ts";
import type { RatedRow, TrainingData } from "../../../models/training/training.ts";

/** A small network in small batches: seconds for some tens of pictures on a software adapter. */
export const small = {
  stages: 1,
  embedding: 16,
  levels: 20,
  resize: 36,
  crop: 32,
  freshRate: 3e-3,
  stageOneBatch: 8,
  labelledBatch: 4,
  unlabelledBatch: 8,
  neighbours: 5,
} satisfies CplOptionsInput;

/** Two fifths of rated pictures labelled, two unlabelled, one for test: neighbours in the list are in different parts. */
export function divided(rows: readonly RatedRow[]): TrainingData {
  const part = (remainder: number[]) => rows.filter((_, i) => remainder.includes(i % 5));
  return { labelled: part([0, 3]), unlabelled: part([1, 4]), test: part([2]), range: [0, 100] };
}

/** Pictures of noise, each blurred by its own amount; the MOS (0-100) falls with the blur. */
export async function blurredPictures(folder: string, count: number, side = 40): Promise<RatedRow[]> {
  await mkdir(folder, { recursive: true });
  const random = new Random(7, "pictures");
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const share = i / (count - 1);
      const pixels = Uint8Array.from({ length: side * side * 3 }, () => random.integer(256));
      const path = join(folder, `${i}.png`);
      await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
        .blur(0.3 + 2.5 * share)
        .png()
        .toFile(path);
      return { name: `${i}.png`, path, mos: 100 * (1 - share) };
    }),
  );
}
