import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { DeviceLostError } from "../../../engine/device/errors.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { SharedDevice } from "../../../engine/device/shared.ts";
import { scoreOf } from "../../../models/cpl/predict.ts";
import { openScorer, type Scorer, ScorerClosedError } from "../../../models/scorer.ts";
import type { PictureSource } from "../../../models/scoring/picture-source.ts";
import { sharedDevice } from "../../engine/device.ts";
import { collectGarbage } from "../../engine/garbage.ts";
import { badPictures, devices, lasting, noisePictures, smallModel } from "./fixtures.ts";

let folder = "";
let model = "";
let pictures: Uint8Array[] = [];
let scorer: Scorer;
/** Scores of `pictures`, each scored alone. */
const alone: Awaited<ReturnType<Scorer["score"]>>[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-scorer-"));
  model = await smallModel(folder);
  pictures = await noisePictures(12);
  scorer = await openScorer({ model, device: await sharedDevice() });
  for (const picture of pictures) alone.push(await scorer.score(picture));
});

afterAll(async () => {
  await scorer.close();
  await rm(folder, { recursive: true, force: true });
});

const copyOf = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;
const failure = (promise: Promise<unknown>) => promise.then(String, (error) => error);

describe("a picture", () => {
  test.each<[string, (path: string, bytes: Uint8Array) => PictureSource]>([
    ["a path", (path) => path],
    ["a file: URL", (path) => pathToFileURL(path)],
    ["bytes", (_, bytes) => bytes],
    ["a Buffer", (_, bytes) => Buffer.from(bytes)],
    ["an ArrayBuffer", (_, bytes) => copyOf(bytes)],
    ["a Blob", (_, bytes) => new Blob([copyOf(bytes)])],
    ["a File", (_, bytes) => new File([copyOf(bytes)], "a.png")],
    ["a Response", (_, bytes) => new Response(copyOf(bytes))],
    ["a web stream", (_, bytes) => new Blob([copyOf(bytes)]).stream()],
    ["a node stream", (path) => createReadStream(path, { highWaterMark: 100 })],
    ["a sharp pipeline", (_, bytes) => sharp(bytes)],
  ])("as %s gives the same bits", async (_, source) => {
    for (const i of [0, 1]) {
      const path = join(folder, `${i}.image`);
      await writeFile(path, pictures[i]!);
      expect(lasting(await scorer.score(source(path, pictures[i]!)))).toEqual(lasting(alone[i]!));
    }
  });

  test("has a score on the model's range, with what it was made from", async () => {
    const bytes = await sharp({ create: { width: 60, height: 50, channels: 3, background: "olive" } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { score, standardDeviation, confidence, histogram, ...rest } = lasting(await scorer.score(bytes));
    expect(rest).toEqual({ range: [0, 100], width: 50, height: 60, model: "small" });
    expect(histogram).toHaveLength(20);
    expect(Math.abs(histogram.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-5);
    expect({ score, standardDeviation, confidence }).toEqual(scoreOf(histogram, [0, 100]));
    // Pictures of different content differ, or nothing here would show a crossed answer.
    expect(new Set(alone.map((each) => each.score)).size).toBe(alone.length);
  });

  test("has the same bits in every container without loss", async () => {
    const { data, info } = await sharp(pictures[0]!).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const raw = () => sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } });
    const files = await Promise.all([
      raw().png({ compressionLevel: 0 }).toBuffer(),
      raw().png({ progressive: true }).toBuffer(),
      raw().webp({ lossless: true }).toBuffer(),
      raw().tiff({ compression: "lzw" }).toBuffer(),
    ]);
    const [first, ...others] = await Promise.all(files.map((file) => scorer.score(file)));
    for (const other of others) expect(lasting(other)).toEqual(lasting(first!));
    expect(first!.score).toBe(alone[0]!.score);
  });

  test("a pipeline of sharp is taken with what it does, and stays usable", async () => {
    const pipeline = sharp(pictures[0]).resize(90, 70);
    const first = await scorer.score(pipeline);
    expect([first.width, first.height]).toEqual([90, 70]);
    expect(lasting(await scorer.score(pipeline))).toEqual(lasting(first));
    expect((await sharp(await pipeline.png().toBuffer()).metadata()).width).toBe(90);
  });

  test("animated, 16-bit, CMYK and transparent ones are scored", async () => {
    const [width, height] = [40, 40];
    const frames = Buffer.concat([Buffer.alloc(width * height * 3, 40), Buffer.alloc(width * height * 3, 200)]);
    const raw = { width, height: 2 * height, channels: 3, pageHeight: height } as const;
    const animated = await sharp(frames, { raw })
      .gif({ loop: 0, delay: [50, 50] })
      .toBuffer();
    const first = await sharp(Buffer.alloc(width * height * 3, 40), { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    expect((await sharp(animated).metadata()).pages).toBe(2);
    expect((await scorer.score(animated)).histogram).toEqual((await scorer.score(first)).histogram);
    const source = sharp(pictures[0]);
    for (const bytes of [
      await source.clone().toColourspace("rgb16").png().toBuffer(),
      await source.clone().toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer(),
      await source.clone().ensureAlpha(0.5).png().toBuffer(),
    ]) {
      const { score, width: found } = await scorer.score(bytes);
      expect(Number.isFinite(score)).toBe(true);
      expect(found).toBe(40);
    }
  });

  test("that is bad ends in a PictureError with its reason, at once", async () => {
    await using strict = await openScorer({ model, device: await sharedDevice(), maxPixels: 1e6, maxBytes: 2e6 });
    for (const [what, { bytes, reason }] of Object.entries(await badPictures())) {
      expect({ what, ...(await failure(strict.score(bytes, { name: what }))) }).toMatchObject({
        what,
        name: "PictureError",
        reason,
        path: what,
      });
    }
    const broken = new ReadableStream({ pull: (controller) => controller.error(new TypeError("terminated")) });
    const many: [PictureSource, string][] = [
      [join(folder, "absent.png"), "missing"],
      [folder, "not-a-file"],
      [new Response("gone", { status: 404 }), "unreadable"],
      [broken, "unreadable"],
      [new Blob([new Uint8Array(2e6 + 1)]), "too-many-bytes"],
      [new Response(new Uint8Array(2e6 + 1)), "too-many-bytes"],
    ];
    for (const [source, reason] of many) expect(await failure(strict.score(source))).toMatchObject({ reason });
    expect(await failure(strict.score(7 as never))).toBeInstanceOf(TypeError);
    expect(await failure(strict.score(new URL("https://example.org/a.png")))).toBeInstanceOf(TypeError);
    expect(lasting(await strict.score(pictures[0]!))).toEqual(lasting(alone[0]!));
  });
});

describe("batches", () => {
  test("callers at the same time share one; a single caller does not wait", async () => {
    const sizes: number[] = [];
    const onBatch = ({ size }: { size: number }) => sizes.push(size);
    await using patient = await openScorer({ model, device: await sharedDevice(), latencyMs: 60_000, onBatch });
    const together = await Promise.all(pictures.slice(0, 8).map((picture) => patient.score(picture)));
    expect(sizes).toEqual([8]);
    expect(together.map(lasting)).toEqual(alone.slice(0, 8).map(lasting));
    await patient.score(pictures[0]!);
    await patient.score(pictures[1]!);
    expect(sizes).toEqual([8, 1, 1]);
  });

  test.each([1, 3, 5])("of at most %d give the same bits", async (batch) => {
    const sizes: number[] = [];
    const onBatch = ({ size }: { size: number }) => sizes.push(size);
    await using small = await openScorer({ model, device: await sharedDevice(), batch, onBatch });
    const found = await Promise.all([...pictures, ...pictures].map((picture) => small.score(picture)));
    expect(found.map(lasting)).toEqual([...alone, ...alone].map(lasting));
    expect(Math.max(...sizes)).toBe(batch);
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(24);
  });

  test("a model with several crops at original size gives the same bits in any batch", async () => {
    const crops = await smallModel(folder, "crops", { testCrops: 3 });
    await using whole = await openScorer({ model: crops, device: await sharedDevice() });
    await using cut = await openScorer({ model: crops, device: await sharedDevice(), batch: 2 });
    for (const picture of pictures.slice(0, 3)) {
      expect(lasting(await cut.score(picture))).toEqual(lasting(await whole.score(picture)));
    }
  });

  test("options that mean nothing are refused", async () => {
    const device = await sharedDevice();
    for (const wrong of [{ batch: 0 }, { batch: 1.5 }, { latencyMs: -1 }, { decoders: 0 }]) {
      expect(await failure(openScorer({ model, device, ...wrong }))).toBeInstanceOf(RangeError);
    }
  });
});

describe("scoreMany", () => {
  test("keeps the order, turns bad pictures into rows, and takes no more than some batches ahead", async () => {
    await using narrow = await openScorer({ model, device: await sharedDevice(), batch: 2, decoders: 2 });
    let taken = 0;
    async function* endless() {
      for (;;) {
        const i = taken++;
        yield i % 5 === 3 ? new Uint8Array([1, 2, 3, i]) : pictures[i % 12]!;
        await sleep(0);
      }
    }
    let seen = 0;
    for await (const result of narrow.scoreMany(endless())) {
      expect(result.index).toBe(seen);
      if (seen % 5 === 3) expect(result).toMatchObject({ error: { name: "PictureError", reason: "not-a-picture" } });
      else expect(result).toMatchObject({ score: alone[seen % 12]!.score });
      expect(taken - seen).toBeLessThanOrEqual(3 * 2 + 2 + 1);
      if (++seen === 40) break;
    }
    await narrow.close();
    expect(narrow.pending).toBe(0);
  });

  test("an abort ends it with its reason", async () => {
    const stop = new AbortController();
    const walk = async () => {
      for await (const { index } of scorer.scoreMany(pictures, { signal: stop.signal })) {
        if (index === 2) stop.abort(new Error("enough"));
      }
    };
    await expect(walk()).rejects.toThrow("enough");
  });
});

describe("an abort", () => {
  test("ends a call that waits, and nobody else's", async () => {
    const sizes: number[] = [];
    const onBatch = ({ size }: { size: number }) => sizes.push(size);
    await using patient = await openScorer({ model, device: await sharedDevice(), latencyMs: 200, onBatch });
    const stop = new AbortController();
    // Its stream never ends; the others wait for nothing but the latency.
    const stalled = patient.score(new ReadableStream({}), { signal: stop.signal });
    const late = patient.score(pictures[0]!, { signal: stop.signal });
    const other = patient.score(pictures[1]!);
    stop.abort(new Error("gone"));
    expect(await failure(stalled)).toMatchObject({ message: "gone" });
    expect(await failure(late)).toMatchObject({ message: "gone" });
    expect(lasting(await other)).toEqual(lasting(alone[1]!));
    expect(sizes).toEqual([1]);
    expect(await failure(patient.score(pictures[0]!, { signal: stop.signal }))).toMatchObject({ message: "gone" });
  });
});

describe("a lost device", () => {
  test("is replaced under load: every caller gets the right score", async () => {
    const source = devices();
    const lost: Error[] = [];
    await using own = await openScorer({
      model,
      device: source.open,
      batch: 4,
      onDeviceLost: (error) => lost.push(error),
    });
    await own.score(pictures[0]!);
    const calls = Array.from({ length: 40 }, async (_, i) => {
      const score = await own.score(pictures[i % 12]!);
      if (i === 6) source.lose();
      return lasting(score);
    });
    const expected = Array.from({ length: 40 }, (_, i) => lasting(alone[i % 12]!));
    expect(await Promise.all(calls)).toEqual(expected);
    expect(source.opened).toHaveLength(2);
    expect(lost).toHaveLength(1);
    expect(lost[0]).toBeInstanceOf(DeviceLostError);
    expect(own.ready).toBe(true);
  });

  test("is replaced without a request, once it has served one", async () => {
    const source = devices();
    await using own = await openScorer({ model, device: source.open });
    await own.score(pictures[0]!);
    source.lose();
    for (let i = 0; i < 500 && source.opened.length < 2; i++) await sleep(10);
    await own.recover();
    expect(source.opened).toHaveLength(2);
    expect(own.ready).toBe(true);
    expect(lasting(await own.score(pictures[3]!))).toEqual(lasting(alone[3]!));
  });

  test("that cannot be replaced ends the calls; a later one tries again", async () => {
    const source = devices();
    let refuse = false;
    const open = async () => {
      if (refuse) throw new Error("no adapter today");
      return source.open();
    };
    await using own = await openScorer({ model, device: open });
    refuse = true;
    source.lose();
    const calls = await Promise.all(pictures.map((picture) => failure(own.score(picture))));
    for (const error of calls) {
      expect(error).toBeInstanceOf(DeviceLostError);
      expect(error.message).toContain("no adapter today");
    }
    expect(own.ready).toBe(false);
    refuse = false;
    expect(lasting(await own.score(pictures[0]!))).toEqual(lasting(alone[0]!));
  });

  test("of the host's own ends the calls with DeviceLostError, for all scorers on it", async () => {
    const device = await openDevice();
    await using first = await openScorer({ model, device });
    await using second = await openScorer({ model, device, name: "other" });
    const both = await Promise.all([first.score(pictures[0]!), second.score(pictures[0]!)]);
    expect(both.map(({ model: name, score }) => [name, score])).toEqual([
      ["small", alone[0]!.score],
      ["other", alone[0]!.score],
    ]);
    device.gpu.destroy();
    for (const each of [first, second]) expect(await failure(each.score(pictures[0]!))).toBeInstanceOf(DeviceLostError);
    expect(first.ready).toBe(false);
  });
});

describe("a shared device", () => {
  test("is one for scorers that ask for the same: memory is counted once, the last one closes it", async () => {
    const before = await openScorer({ model });
    const one = before.device.memoryUse.usedBytes;
    const second = await openScorer({ model, name: "other" });
    expect(second.device).toBe(before.device);
    const both = before.device.memoryUse.usedBytes;
    expect(both).toBeGreaterThan(one);
    expect(both).toBeLessThanOrEqual(2 * one);
    await using elsewhere = await openScorer({ model, adapter: { memoryLimitBytes: 2 ** 28 } });
    expect(elsewhere.device).not.toBe(before.device);
    await using same = await openScorer({ model, adapter: { backend: undefined, memoryLimitBytes: 2 ** 28 } });
    expect(same.device).toBe(elsewhere.device);

    const { device } = before;
    const calls = pictures.map((picture) => second.score(picture));
    await before.close();
    expect(device.memoryUse.usedBytes).toBeLessThan(both);
    expect((await Promise.all(calls)).map(({ score }) => score)).toEqual(alone.map(({ score }) => score));
    await second.close();
    expect(() => device.check()).toThrow("closed");
    await using again = await openScorer({ model });
    expect(again.device).not.toBe(device);
    expect(lasting(await again.score(pictures[0]!))).toEqual(lasting(alone[0]!));
  });

  test("keeps nothing of scorers that were closed", async () => {
    const device = await sharedDevice();
    const closed: WeakRef<object>[] = [];
    for (let i = 0; i < 12; i++) {
      await using each = await openScorer({ model, device });
      await each.score(pictures[0]!);
      closed.push(new WeakRef(each.card));
    }
    for (let i = 0; i < 3; i++) {
      await sleep(1);
      await collectGarbage();
    }
    expect(closed.filter((each) => each.deref()).length).toBeLessThan(6);
  });

  test("that is lost under load is opened once more, and all scorers follow", async () => {
    const source = devices();
    const device = new SharedDevice(source.open);
    const losses: string[] = [];
    const open = (name: string) =>
      openScorer({ model, device, name, batch: 4, onDeviceLost: () => void losses.push(name) });
    await using first = await open("first");
    await using second = await open("second");
    await using idle = await open("idle");
    for (const each of [first, second, idle]) await each.score(pictures[0]!);
    expect(source.opened).toHaveLength(1);
    const calls = Array.from({ length: 40 }, async (_, i) => {
      const { score } = await (i % 2 ? first : second).score(pictures[i % 12]!);
      if (i === 6) source.lose();
      return score;
    });
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 40 }, (_, i) => alone[i % 12]!.score));
    await idle.recover();
    expect(source.opened).toHaveLength(2);
    expect(new Set([first, second, idle].map((each) => each.device))).toEqual(new Set([source.opened[1]!]));
    expect(losses.sort()).toEqual(["first", "idle", "second"]);
    expect(device.users).toBe(3);
  });

  test("that has failed for one is replaced for all, also for those that did not notice", async () => {
    const source = devices();
    const device = new SharedDevice(source.open);
    await using first = await openScorer({ model, device });
    await using second = await openScorer({ model, device });
    for (const each of [first, second]) await each.score(pictures[0]!);
    source.opened[0]!.fail(new Error("a kernel failed"));
    expect((await first.score(pictures[1]!)).score).toBe(alone[1]!.score);
    expect((await second.score(pictures[2]!)).score).toBe(alone[2]!.score);
    expect(source.opened).toHaveLength(2);
    expect(second.device).toBe(first.device);
  });

  test("that cannot be opened fails for all who wait for it, and is tried again for the next", async () => {
    const source = devices();
    let refusals = 1;
    const device = new SharedDevice(async () => {
      await sleep(5);
      if (refusals-- > 0) throw new Error("no adapter today");
      return source.open();
    });
    const failures = await Promise.all([1, 2].map(() => failure(openScorer({ model, device }))));
    expect(failures.map(({ message }) => message)).toEqual(["no adapter today", "no adapter today"]);
    expect(await failure(openScorer({ model: join(folder, "absent.safetensors"), device }))).toBeInstanceOf(Error);
    expect(device.users).toBe(0);
    expect(() => source.opened[0]!.check()).toThrow("closed");
    await using works = await openScorer({ model, device });
    expect(works.device).toBe(source.opened[1]!);
    expect(await failure(openScorer({ model, device, adapter: {} }))).toBeInstanceOf(TypeError);
  });
});

test("closing waits for what was given and takes no more", async () => {
  const source = devices();
  const own = await openScorer({ model, device: source.open });
  const calls = pictures.map((picture) => own.score(picture));
  const closing = own.close();
  expect(await failure(own.score(pictures[0]!))).toBeInstanceOf(ScorerClosedError);
  await closing;
  expect(own.pending).toBe(0);
  expect((await Promise.all(calls)).map(lasting)).toEqual(alone.map(lasting));
  expect(() => source.opened[0]!.check()).toThrow("closed");
  await own.close();
});

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
    found.histogram.forEach((share, j) => {
      const mean = parts.reduce((sum, { histogram }) => sum + histogram[j]!, 0) / 6;
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
