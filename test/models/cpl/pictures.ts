import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../../engine/random.ts";
import type { RatedRow } from "../../../models/cpl/training.ts";

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
