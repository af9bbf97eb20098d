import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { Random } from "../../../engine/random.ts";
import { decode } from "../../../models/data/index.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { sharpnessOf } from "../../../models/scoring/sharpness.ts";
import { sharedDevice } from "../../engine/device.ts";
import { noisePictures, smallModel } from "./fixtures.ts";

/** Squares of random grey, 20 pixels wide. */
function squares(side: number): Sharp {
  const random = new Random(4, "squares");
  const cells = side / 20;
  const greys = Uint8Array.from({ length: cells ** 2 }, () => random.integer(256));
  const image = sharp(greys, { raw: { width: cells, height: cells, channels: 1 } });
  return image.resize(side, side, { kernel: "nearest" }).toColourspace("srgb");
}

const measured = async (image: Sharp) => sharpnessOf(await decode(await image.png().toBuffer()));
const again = async (image: Sharp) => sharp(await image.png().toBuffer());

describe("sharpness", () => {
  test("falls with every stronger blur and lies between 0 and 1", async () => {
    const all = [await measured(squares(320))];
    for (const sigma of [0.6, 1, 2, 4, 8]) all.push(await measured((await again(squares(320))).blur(sigma)));
    expect(all).toEqual(all.toSorted((a, b) => b - a));
    expect(new Set(all).size).toBe(6);
    expect(all[0]).toBeGreaterThan(0.7);
    expect(all.at(-1)).toBeLessThan(0.2);
    expect(Math.min(...all)).toBeGreaterThan(0);
    expect(Math.max(...all)).toBeLessThan(1);
  });

  test("a blur along one direction counts", async () => {
    const kernel = { width: 9, height: 3, kernel: [0, 0, 0, 1, 1, 1, 0, 0, 0].flatMap((v) => [v, v, v]), scale: 9 };
    const moved = (await again(squares(320))).convolve(kernel);
    expect(await measured(moved)).toBeLessThan(0.6 * (await measured(squares(320))));
  });

  test("a sharp subject before a soft background is sharp", async () => {
    const subject = await squares(320).png().toBuffer();
    const soft = (await again(squares(640))).blur(8);
    const both = (await again(soft)).composite([{ input: subject, left: 160, top: 160 }]);
    expect(await measured(both)).toBeGreaterThan(0.8 * (await measured(squares(320))));
  });

  test("a plain area has none, and so has a picture of one pixel", async () => {
    const plain = (side: number) => sharp({ create: { width: side, height: side, channels: 3, background: "teal" } });
    expect([await measured(plain(200)), await measured(plain(1))]).toEqual([0, 0]);
  });

  test("a scorer gives it where it is asked for, and the rest stays", async () => {
    const folder = await mkdtemp(join(tmpdir(), "acutance-sharpness-"));
    try {
      const [model, device] = [await smallModel(folder), await sharedDevice()];
      const [picture] = await noisePictures(1);
      await using plain = await openScorer({ model, device });
      await using asked = await openScorer({ model, device, sharpness: true });
      const [without, { sharpness, milliseconds: _, ...rest }] = [
        await plain.score(picture!),
        await asked.score(picture!),
      ];
      expect(sharpness).toBe(sharpnessOf(await decode(picture!)));
      expect(without).toMatchObject(rest);
      expect(without).not.toHaveProperty("sharpness");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
