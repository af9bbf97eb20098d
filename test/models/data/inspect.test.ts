import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../../engine/random.ts";
import { inspect, isSound, loadDataset } from "../../../models/data/index.ts";
import { findDuplicates, furthest, hamming } from "../../../models/data/inspect/duplicates.ts";
import { differenceHash, type Fingerprint } from "../../../models/data/inspect/fingerprint.ts";
import { summary } from "../../../models/data/inspect/inspect.ts";
import { dataReport } from "../../../models/report/data/data-report.ts";

let folder: string;
const path = (name: string) => join(folder, name);

/** A picture of smooth random blobs, unlike those of other seeds. */
function blobs(seed: number, width = 96, height = 64) {
  const random = new Random(seed, "blobs");
  const small = Uint8Array.from({ length: 6 * 6 * 3 }, () => Math.floor(256 * random.uniform()));
  return sharp(small, { raw: { width: 6, height: 6, channels: 3 } }).resize(width, height, {
    fit: "fill",
    kernel: "cubic",
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-inspect-"));
  for (let i = 0; i < 6; i++)
    await blobs(i)
      .png()
      .toFile(path(`${i}.png`));
  await blobs(0).png().toFile(path("copy.png"));
  await blobs(1).jpeg({ quality: 50 }).toFile(path("again.jpg"));
  await blobs(2, 60, 40).modulate({ brightness: 0.8 }).webp().toFile(path("smaller.webp"));
  const flat = { create: { width: 20, height: 20, channels: 3, background: "#222" } } as const;
  await sharp(flat).png().toFile(path("dark.png"));
  await sharp({ create: { ...flat.create, background: "#ddd" } })
    .png()
    .toFile(path("light.png"));
  const jpeg = await blobs(7).jpeg().toBuffer();
  await writeFile(path("broken.jpg"), jpeg.subarray(0, jpeg.length - 60));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(lines: readonly string[], header = "file,mos,group,split") {
  await writeFile(path("scores.csv"), [header, ...lines].join("\n"));
  return loadDataset({ folder, csv: path("scores.csv"), range: [0, 10] });
}

describe("inspect", () => {
  test("scores, containers, sizes, missing and broken pictures", async () => {
    const rows = ["0.png,1", "1.png,2", "2.png,6", "again.jpg,", "broken.jpg,3", "absent.png,4", "3.png,x"];
    const found = await inspect(await load(rows, "file,mos"));
    expect([found.pictures, found.rated, found.range]).toEqual([5, 4, [0, 10]]);
    expect(found.mos).toEqual({ count: 4, minimum: 1, median: 2.5, maximum: 6, mean: 3, sd: Math.sqrt(3.5) });
    expect(found.problems.map(({ kind, name }) => [kind, name])).toEqual([
      ["missing", "absent.png"],
      ["mos", "3.png"],
      ["picture", "broken.jpg"],
    ]);
    expect(found.formats).toEqual({ png: 3, jpeg: 1 });
    expect(found.sizes).toEqual([{ size: "96 x 64", count: 4 }]);
    expect(found.parts).toBeUndefined();
    expect(found.leaks).toEqual([]);
    expect(found.duplicates).toEqual([
      expect.objectContaining({ first: "1.png", second: "again.jpg", same: "picture" }),
    ]);
    expect(isSound(found)).toBe(false);
  });

  test("copies, re-encoded and resized pictures across the split; not those within a part, nor different pictures", async () => {
    const rows = [
      ...["0.png,1,,train", "1.png,1,,train", "2.png,1,,train", "3.png,1,,test", "4.png,1,,train", "5.png,2,,test"],
      ...["copy.png,1,,test", "again.jpg,1,,test", "smaller.webp,1,,train", "dark.png,1,,train", "light.png,1,,test"],
    ];
    const found = await inspect(await load(rows));
    expect(found.leaks.map(({ first, second, same }) => [first, second, same])).toEqual([
      ["0.png", "copy.png", "file"],
      ["1.png", "again.jpg", "picture"],
    ]);
    expect(found.leaks[0]!.parts).toEqual(["train", "test"]);
    expect(found.duplicates.map(({ first, second }) => [first, second])).toEqual([["2.png", "smaller.webp"]]);
    expect(found.parts).toEqual({ train: 6, test: 5 });
    expect(isSound(found)).toBe(false);
    const page = dataReport("a <set>", found);
    expect(page).toContain("a &lt;set&gt;");
    expect(page).toContain("<svg");
    expect(page).toContain("smaller.webp");
  });

  test("a split given by name replaces that of the rows; groups may hold duplicates but not be divided", async () => {
    const dataset = await load(["0.png,1,a,x", "copy.png,1,a,y", "3.png,1,b,x", "4.png,2,b,x"]);
    const divided = await inspect(dataset);
    expect(divided.dividedGroups).toEqual(["a"]);
    expect(divided.groups).toMatchObject({ count: 2, minimum: 2, maximum: 2 });
    const whole = await inspect(dataset, {
      parts: new Map([
        ["0.png", "p"],
        ["copy.png", "p"],
        ["3.png", "q"],
      ]),
    });
    expect([whole.dividedGroups, whole.leaks, whole.duplicates]).toEqual([[], [], []]);
    expect(isSound(whole)).toBe(true);
  });

  test("files of one tone are duplicates only when their bytes are the same", async () => {
    await writeFile(path("dark-too.png"), await sharp(path("dark.png")).png().toBuffer());
    const found = await inspect(await load(["dark.png,1", "light.png,2", "dark-too.png,3"], "file,mos"));
    expect(found.duplicates.map(({ first, second, same }) => [first, second, same])).toEqual([
      ["dark.png", "dark-too.png", "file"],
    ]);
  });

  test("an abort ends it", async () => {
    const dataset = await load(["0.png,1", "1.png,2"], "file,mos");
    await expect(inspect(dataset, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});

describe("duplicates by bands", () => {
  const thumbnail = new Float32Array(81).fill(1 / 9);

  test("find the pairs that comparing all with all finds", () => {
    const random = new Random(5, "hashes");
    const prints: Fingerprint[] = [];
    for (let i = 0; i < 400; i++) {
      const parent = prints[Math.floor(random.uniform() * prints.length)];
      const hash =
        parent && random.uniform() < 0.6
          ? parent.hash.slice()
          : Uint32Array.from({ length: 4 }, () => random.uniform() * 2 ** 32);
      for (let flips = Math.floor(random.uniform() * 10); flips > 0; flips--) {
        const bit = Math.floor(random.uniform() * 128);
        hash[bit >> 5]! ^= 1 << (bit & 31);
      }
      prints.push({ width: 1, height: 1, format: "png", sha256: String(i), hash, thumbnail });
    }
    const expected: string[] = [];
    let near = 0;
    prints.forEach((a, i) => {
      prints.slice(i + 1).forEach((b, k) => {
        const distance = hamming(a.hash, b.hash);
        if (distance <= furthest) expected.push(`${i} ${i + 1 + k} ${distance}`);
        else if (distance < 20) near++;
      });
    });
    const { pairs, more } = findDuplicates(prints, () => true);
    expect(pairs.map(({ first, second, distance }) => `${first} ${second} ${distance}`)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(100);
    expect(near).toBeGreaterThan(10);
    expect(more).toBe(0);
    const few = findDuplicates(prints, () => true, 10);
    expect([few.pairs.length, few.more]).toEqual([10, expected.length - 10]);
  });

  test("the difference hash says where brightness falls", () => {
    const falling = Uint8Array.from({ length: 81 }, (_, i) => 200 - 10 * (i % 9));
    expect([...differenceHash(falling)]).toEqual([0xffffffff, 0xffffffff, 0, 0]);
  });
});

test("summary of nothing, one, and an even number of values", () => {
  expect(summary([]).median).toBeNaN();
  expect(summary([3])).toEqual({ count: 1, minimum: 3, median: 3, maximum: 3, mean: 3, sd: 0 });
  expect(summary([4, 1, 3, 2]).median).toBe(2.5);
});
