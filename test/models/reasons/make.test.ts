import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../../engine/random.ts";
import { copiesOf } from "../../../models/reasons/copies.ts";
import { degradations } from "../../../models/reasons/degradations.ts";
import { classes } from "../../../models/reasons/head.ts";
import { makeReasons } from "../../../models/reasons/index.ts";
import { reasons } from "../../../models/reasons/names.ts";
import { pictureStatistics, statisticNames } from "../../../models/reasons/statistics/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { pixels } from "../classic/pictures.ts";

const device = await sharedDevice();
let folder: string;
const paths: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-reasons-"));
  for (let i = 0; i < 12; i++) {
    const [width, height] = [96, 80];
    const bytes = pixels(i % 2 ? "waves" : "flat part", height, width, i + 1);
    const path = join(folder, `${i}.png`);
    const picture = sharp(bytes, { raw: { width, height, channels: 3 } });
    // A grey one and one with alpha are photographs, too.
    await (i === 3 ? picture.grayscale() : i === 4 ? picture.ensureAlpha(0.5) : picture).toFile(path);
    paths.push(path);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("degradations", () => {
  const [width, height] = [128, 96];
  const picture = { pixels: pixels("waves", height, width), width, height };

  test.each(reasons.flatMap((reason) => Object.keys(degradations[reason]).map((kind) => [reason, kind] as const)))(
    "%s by %s changes a picture more at level 5 than at 2, the same for the same seed",
    async (reason, kind) => {
      const at = async (level: number) =>
        (await degradations[reason][kind]!(picture, level, { device, random: new Random(7, kind) })).pixels;
      const distance = (other: Uint8Array) =>
        other.reduce((sum, value, i) => sum + Math.abs(value - picture.pixels[i]!), 0) / other.length;
      const [mild, between, strong, again] = [await at(2), await at(3.4), await at(5), await at(5)];
      expect(again).toEqual(strong);
      expect(distance(mild)).toBeGreaterThan(0.5);
      expect(distance(strong)).toBeGreaterThan(distance(mild));
      expect(distance(between)).toBeGreaterThan(0.5);
    },
  );

  test("dark ones are darker, overexposed ones lighter, faded ones have less contrast", async () => {
    const change = async (reason: (typeof reasons)[number], kind: string, name: string) => {
      const copy = await degradations[reason][kind]!(picture, 4, { device, random: new Random(7, kind) });
      const at = statisticNames.indexOf(name);
      return pictureStatistics(copy)[at]! - pictureStatistics(picture)[at]!;
    };
    for (const kind of Object.keys(degradations.dark))
      expect(await change("dark", kind, "mean luma")).toBeLessThan(-0.05);
    for (const kind of Object.keys(degradations.overexposed))
      expect(await change("overexposed", kind, "mean luma")).toBeGreaterThan(0.05);
    for (const kind of Object.keys(degradations["low-contrast"]))
      expect(await change("low-contrast", kind, "deviation of luma")).toBeLessThan(-0.01);
  });
});

describe("copies of a photograph", () => {
  test("are of every class, as their seed, name and part have it", async () => {
    const photograph = { pixels: pixels("waves", 100, 130), width: 130, height: 100 };
    const of = (part: "taught" | "held out", seed = 1) => copiesOf(device, photograph, { name: "a.jpg", part, seed });
    const taught = await of("taught");
    expect([...new Set(taught.map(({ truth }) => truth))]).toEqual([...classes]);
    expect(await of("taught")).toEqual(taught);
    expect(await of("taught", 2)).not.toEqual(taught);
    const held = await of("held out");
    expect(held.every(({ truth, level }) => (truth === "none" ? level === 0 : [2, 3, 4, 5].includes(level)))).toBe(
      true,
    );
    const clean = held.filter(({ truth }) => truth === "none");
    for (const { statistics } of clean) expect(statistics).toEqual(pictureStatistics(photograph));
  });
});

describe("making reasons", () => {
  const options = { steps: 30, hidden: 8 };

  test("splits photographs by name, leaves broken and tiny ones out, and gives the same for the same seed", async () => {
    const broken = join(folder, "broken.jpg");
    await writeFile(broken, "this is no picture");
    const tiny = join(folder, "tiny.png");
    await sharp(pixels("waves", 20, 20), { raw: { width: 20, height: 20, channels: 3 } }).toFile(tiny);
    const seen: number[] = [];
    const made = await makeReasons(device, [...paths, broken, tiny, paths[0]!], {
      ...options,
      onProgress: (done, total) => seen.push(done / total),
    });
    const { photographs } = made;
    expect(photographs.taught + photographs.choosing + photographs["held out"]).toBe(12);
    expect(made.leftOut.map(({ path }) => path).sort()).toEqual([broken, tiny].sort());
    expect(seen.at(-1)).toBe(1);
    expect(made.figures.copies).toBe(2 * classes.length * photographs["held out"]);
    expect(made.figures.confusion.flat().reduce((a, b) => a + b)).toBe(made.figures.copies);
    const again = await makeReasons(device, [tiny, broken, ...paths.toReversed()], options);
    expect(again.head).toEqual(made.head);
    expect(again.figures).toEqual(made.figures);
  });

  test("says what it cannot do", async () => {
    expect(makeReasons(device, paths.slice(0, 9))).rejects.toThrow(
      "9 photographs can be used; reasons are learnt from at least 10",
    );
    expect(makeReasons(device, [])).rejects.toThrow("0 photographs can be used");
    expect(makeReasons(device, paths, { good: 0 })).rejects.toThrow("good is a share of the range");
    expect(makeReasons(device, paths, { count: 3 })).rejects.toThrow("count must be a whole number of at least 10");
    expect(makeReasons(device, paths, { nonsense: 1 } as object)).rejects.toThrow("nonsense");
    expect(makeReasons(device, paths, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});
