import sharp from "sharp";
import { photographPath } from "../../../models/demo.ts";

const photographNames = [
  "acanthus-mollis",
  "airplane-from-above",
  "allium-oreophilum",
  "dust-bowl-home",
  "french-alpine-landscape",
  "march-pastoral",
];

/** Named files that look like those of people: cuts of old photographs, good and degraded. JPEG, 480 pixels at most. */
export async function realPictures(count: number): Promise<{ name: string; bytes: Uint8Array<ArrayBuffer> }[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const photograph = photographNames[i % photographNames.length]!;
      const [width, height] = i % 3 === 1 ? [360, 480] : [480, 360];
      const whole = sharp(photographPath(photograph)).resize(width + 60, height + 60, { fit: "cover" });
      const cut = { left: (i * 17) % 60, top: (i * 23) % 60, width, height };
      // Each step is its own pass: sharp would reorder them.
      let image = sharp(
        await sharp(await whole.png().toBuffer())
          .extract(cut)
          .png()
          .toBuffer(),
      );
      const level = Math.floor(i / photographNames.length);
      if (i % 4 === 1) image = image.blur(0.8 + 1.6 * level);
      if (i % 4 === 2) image = image.modulate({ brightness: 0.5 + 0.1 * level });
      if (i % 4 === 3) {
        const coarse = await image
          .resize(120, Math.round((120 * height) / width))
          .png()
          .toBuffer();
        image = sharp(coarse).resize(width, height, { kernel: "nearest" });
      }
      const bytes = await image.jpeg({ quality: i % 5 === 4 ? 8 : 88 }).toBuffer();
      return { name: `${photograph}-${i + 1}.jpg`, bytes: new Uint8Array(bytes) };
    }),
  );
}
