import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { captureOf } from "../../../models/culling/capture.ts";
import { HashIndex, type PerceptualHash } from "../../../models/culling/perceptual-hash.ts";
import { seeMany } from "../../../models/culling/see-many.ts";
import {
  cullPictures,
  groupSimilar,
  hashDistance,
  rankBurst,
  type SeenPicture,
  seePicture,
} from "../../../models/index.ts";
import { judge } from "./judged.ts";
import { type MadePicture, makeLibrary } from "./made-library.ts";
import { Numbers } from "./numbers.ts";

let folder = "";
let made: readonly MadePicture[] = [];
const seen: SeenPicture[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-culling-"));
  ({ pictures: made } = await makeLibrary(folder, 60, 411));
  await seeMany(
    made.map(({ name }) => join(folder, name)),
    {
      onResult({ index, ...result }) {
        if ("error" in result) throw result.error;
        seen[index] = result;
      },
    },
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** EXIF as a camera writes it. */
async function exifOf(tags: Record<string, string>): Promise<Uint8Array> {
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: "grey" } });
  const bytes = await picture
    .withExif({ IFD0: { Make: "Acme ", Model: "One" }, IFD2: tags })
    .jpeg()
    .toBuffer();
  return (await sharp(bytes).metadata()).exif!;
}

describe("capture", () => {
  test("time with its fraction and offset, and the camera", async () => {
    const exif = await exifOf({
      DateTimeOriginal: "2024:02:29 23:59:58",
      SubSecTimeOriginal: "5",
      OffsetTimeOriginal: "+02:00",
      BodySerialNumber: "77",
    });
    expect(captureOf(exif)).toEqual({
      at: Date.UTC(2024, 1, 29, 21, 59, 58, 500),
      hasOffset: true,
      camera: "Acme One 77",
    });
  });

  test("what is missing or makes no sense is left out", async () => {
    expect(captureOf(undefined)).toEqual({});
    expect(captureOf(new Uint8Array([1, 2, 3]))).toEqual({});
    expect(captureOf(await exifOf({ DateTimeOriginal: "0000:00:00 00:00:00" }))).toEqual({ camera: "Acme One" });
    const cut = (await exifOf({ DateTimeOriginal: "2024:02:29 23:59:58" })).subarray(0, 40);
    expect(captureOf(cut).at).toBeUndefined();
  });
});

test("the index finds all hashes within its radius and no others", () => {
  const numbers = new Numbers(5);
  const hashes = Array.from({ length: 400 }, (): PerceptualHash => [numbers.word(), numbers.word()]);
  const near = hashes.map(([low, high], i): PerceptualHash => {
    const flips = i % 16;
    let [a, b] = [low, high];
    for (let bit = 0; bit < flips; bit++) {
      if (bit % 2) a = (a ^ (1 << (bit * 2))) >>> 0;
      else b = (b ^ (1 << (bit * 2))) >>> 0;
    }
    return [a, b];
  });
  const index = new HashIndex<number>(11);
  hashes.forEach((hash, i) => {
    index.add(hash, i);
  });
  for (const hash of near) {
    const expected = hashes.flatMap((other, i) => (hashDistance(hash, other) <= 11 ? [i] : []));
    expect([...index.near(hash)].sort((a, b) => a - b)).toEqual(expected);
  }
});

describe("a made library of 60", () => {
  test("the best of bursts is found, and no two moments are together", () => {
    const judged = judge(made, cullPictures(seen));
    expect(judged.bursts).toBeGreaterThan(8);
    expect(judged.bestFound / judged.bursts).toBeGreaterThanOrEqual(0.9);
    expect([judged.mixedGroups, judged.falsePairs]).toEqual([0, 0]);
    expect(judged.missedPairs / judged.truePairs).toBeLessThanOrEqual(0.02);
  });

  test("the order given does not matter", () => {
    const places = seen.map((_, i) => (i * 17) % seen.length);
    const shuffled = places.map((place) => seen[place]!);
    const names = (pictures: readonly SeenPicture[]) =>
      groupSimilar(pictures)
        .map((group) => group.map((i) => pictures[i]!.name).sort())
        .sort();
    expect(names(shuffled)).toEqual(names(seen));
  });

  test("each degradation has its reason", () => {
    const decisions = cullPictures(seen).filter(({ reason }) => reason !== undefined);
    const truth = new Map(made.map((one) => [join(folder, one.name), one.degraded]));
    const expected: readonly [RegExp, string[]][] = [
      [/^blur/, ["softer"]],
      [/^noise/, ["noisier"]],
      [/^gain [12]/, ["overexposed"]],
      [/^gain 0/, ["underexposed"]],
      [/^quality/, ["compressed"]],
      [/^copy/, ["smaller"]],
      [/^motion/, ["motion-blur", "softer"]],
    ];
    const right = decisions.filter(({ name, reason }) =>
      expected.some(([degraded, reasons]) => degraded.test(truth.get(name)!) && reasons.includes(reason!)),
    );
    expect(right.length / decisions.length).toBeGreaterThan(0.85);
  });

  test("the same file twice is said to be", () => {
    const [first] = seen;
    const ranked = rankBurst([first!, { ...first!, name: "elsewhere/again.jpg" }]);
    expect(ranked.map(({ name, reason, words }) => [name.slice(-9), reason, words])).toEqual([
      ["00000.jpg", undefined, "best of 2"],
      ["again.jpg", "same-file", "same file as IMG_00000.jpg"],
    ]);
  });

  test("higher scores come first where all else is the same, and the reason says so", () => {
    const scored = [40, 70].map((score, i) => {
      const { digest: _, ...picture } = seen[0]!;
      return { ...picture, name: `${i}.jpg`, scored: { score, range: [0, 100] as const } };
    });
    const ranked = rankBurst(scored);
    expect(ranked.map(({ name, words }) => [name, words])).toEqual([
      ["1.jpg", "best of 2: highest score"],
      ["0.jpg", "score 40 against 70 of 1.jpg"],
    ]);
  });
});

test("a pan does not chain unlike ends into one group", async () => {
  const numbers = new Numbers(8);
  const cells = Buffer.from(Array.from({ length: 60 * 9 * 3 }, () => numbers.below(256)));
  const wide = await sharp(cells, { raw: { width: 60, height: 9, channels: 3 } })
    .resize(2400, 240, { kernel: "cubic", fit: "fill" })
    .raw()
    .toBuffer();
  const frames = await Promise.all(
    Array.from({ length: 52 }, async (_, i) => {
      const frame = sharp(wide, { raw: { width: 2400, height: 240, channels: 3 } })
        .extract({ left: 40 * i, top: 0, width: 320, height: 240 })
        .withExif({
          IFD0: { Model: "One" },
          IFD2: { DateTimeOriginal: `2024:05:01 10:00:${String(i).padStart(2, "0")}` },
        });
      return seePicture(new Uint8Array(await frame.jpeg().toBuffer()), { name: `pan-${i}.jpg` });
    }),
  );
  for (const group of groupSimilar(frames)) {
    expect(Math.max(...group) - Math.min(...group)).toBeLessThanOrEqual(6);
  }
});

test("wrong options are refused by name", () => {
  expect(() => cullPictures([], { keep: 0 })).toThrow("keep must be");
  expect(() => groupSimilar([], { similarity: 2 })).toThrow("similarity must be a number from 0 to 1, got 2");
  expect(() => groupSimilar([], { burstGapSeconds: -1 })).toThrow("burstGapSeconds must be");
  expect(() => rankBurst([])).toThrow("at least one picture");
  expect(cullPictures([])).toEqual([]);
});

test("the code of the README runs", async () => {
  const readme = await readFile(new URL("../../../models/culling/README.md", import.meta.url), "utf8");
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readme)!;
  const body = code!.replace(/import[^;]*;/g, "").replace(/await using scorer[^\n]*\n/, "");
  const run = new Function(
    "seePicture",
    "cullPictures",
    "rankBurst",
    "groupSimilar",
    "paths",
    "scorer",
    "console",
    `return (async () => {${body}})()`,
  );
  const lines: unknown[][] = [];
  const scorer = { score: async () => ({ score: 50, range: [0, 100] }) };
  const paths = made.slice(0, 12).map(({ name }) => join(folder, name));
  await run(seePicture, cullPictures, rankBurst, groupSimilar, paths, scorer, {
    log: (...words: unknown[]) => lines.push(words),
  });
  expect(lines.length).toBeGreaterThanOrEqual(12);
});
