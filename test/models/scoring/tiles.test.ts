import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import sharp from "sharp";
import { openDevice } from "../../../engine/device/open.ts";
import { openScorer, type Scorer } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";
import { failure, openKnown, smallModel } from "./fixtures.ts";

let folder = "";
let model = "";
let pictures: Uint8Array[] = [];
let scorer: Scorer;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ folder, model, pictures, scorer, close } = await openKnown(12));
});

afterAll(() => close());

describe("tiles", () => {
  test("cover the picture at original size; the score is the mean over them, whatever the batch", async () => {
    // Without resizing, a tile that is cut out and scored is seen by the network as the tile itself.
    const square = await smallModel(folder, "tiled", { resize: 32 });
    const device = await sharedDevice();
    await using single = await openScorer({ model: square, device });
    await using tiled = await openScorer({ model: square, device, tiles: 6 });
    await using narrow = await openScorer({ model: square, device, tiles: 6, batch: 4, decoders: 2 });
    const bytes = await sharp(pictures[0]).resize(80, 50).png().toBuffer();
    const parts = await Promise.all(
      [0, 18].flatMap((top) =>
        [0, 24, 48].map(async (left) => {
          const part = sharp(bytes).extract({ left, top, width: 32, height: 32 });
          return single.score(await part.png().toBuffer());
        }),
      ),
    );
    const found = await tiled.score(bytes);
    found.histogram!.forEach((share, j) => {
      const mean = parts.reduce((sum, { histogram }) => sum + histogram![j]!, 0) / 6;
      expect(share).toBe(Math.fround(mean));
    });
    expect([found.width, found.height]).toEqual([80, 50]);
    const together = await Promise.all(Array.from({ length: 5 }, () => narrow.score(bytes)));
    for (const each of together) expect(each.histogram).toEqual(found.histogram);
    expect(await failure(openScorer({ model: square, device, tiles: 0 }))).toBeInstanceOf(RangeError);
  });

  test("a picture of many pixels takes no more device memory than a small one", async () => {
    const own = await openDevice();
    const peak = async (width: number, height: number) => {
      await using tiled = await openScorer({ model, device: own, tiles: 12, batch: 4 });
      const large = sharp({ create: { width, height, channels: 3, background: "teal" } });
      expect((await tiled.score(await large.jpeg().toBuffer())).width).toBe(width);
      return own.memoryUse.peakBytes;
    };
    const small = await peak(100, 90);
    expect(await peak(6000, 4000)).toBe(small);
    own.close();
  });
});

describe("explain", () => {
  test("scores the tiles as pictures of their own and draws them over the picture", async () => {
    // Without resizing, a tile that is cut out and scored is seen by the network as the tile itself.
    const square = await smallModel(folder, "square", { resize: 32 });
    await using own = await openScorer({ model: square, device: await sharedDevice() });
    const bytes = await sharp(pictures[0]).resize(100, 64).png().toBuffer();
    const map = await own.explain(bytes);
    expect(map).toMatchObject({ rows: 3, columns: 6, tile: 32, width: 100, height: 64, range: [0, 100] });
    for (const [row, column] of [
      [0, 0],
      [1, 2],
      [2, 5],
    ] as const) {
      const place = { left: Math.round((column * 68) / 5), top: row * 16, width: 32, height: 32 };
      const { score } = await own.score(await sharp(bytes).extract(place).png().toBuffer());
      expect(map.scores[row]![column]).toBe(score);
    }
    const drawn = await map.draw({ longerSide: 50, opacity: 1 });
    const { data, info } = await sharp(drawn).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([50, 32]);
    // The brightest pixels lie near the best tile, the darkest near the worst.
    const brightness = (row: number, column: number) => {
      const at = (Math.floor(((row + 0.5) * 32) / 3) * 50 + Math.floor(((column + 0.5) * 50) / 6)) * info.channels;
      return data[at]! + data[at + 1]!;
    };
    const all = map.scores.flatMap((scores, row) => scores.map((score, column) => ({ score, row, column })));
    all.sort((a, b) => a.score - b.score);
    const [worst, best] = [all[0]!, all.at(-1)!];
    expect(brightness(best.row, best.column)).toBeGreaterThan(brightness(worst.row, worst.column) + 100);
  });

  test("takes no more tiles than allowed, and one of a small picture", async () => {
    const wide = await sharp(pictures[0]).resize(400, 200).png().toBuffer();
    const map = await scorer.explain(wide, { tiles: 10 });
    expect(map.rows * map.columns).toBeLessThanOrEqual(10);
    expect(map.columns).toBeGreaterThan(map.rows);
    const small = await scorer.explain(await sharp(pictures[0]).resize(20, 25).png().toBuffer());
    expect(small).toMatchObject({ rows: 1, columns: 1 });
    expect(await failure(scorer.explain(wide, { tiles: 0 }))).toBeInstanceOf(RangeError);
  });
});
