import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { openDevice } from "../../../engine/device/open.ts";
import { openScorer, type PictureScore, type Scorer, ScorerClosedError } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";
import { devices, failure, lasting, openKnown, smallModel } from "./fixtures.ts";

let folder = "";
let model = "";
let pictures: Uint8Array[] = [];
let scorer: Scorer;
/** Scores of `pictures`, each scored alone. */
let alone: PictureScore[] = [];
let close: () => Promise<void>;

beforeAll(async () => {
  ({ folder, model, pictures, scorer, alone, close } = await openKnown(12));
});

afterAll(() => close());

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
    await using small = await openScorer({ model, device: await sharedDevice(), latencyMs: 60_000, batch, onBatch });
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

  test("wait for pictures that are being decoded, up to the latency budget", async () => {
    await using own = await openScorer({ model, device: await sharedDevice(), latencyMs: 1500 });
    // It is decoded once its bytes have come.
    const slow = sharp();
    const first = own.score(slow);
    await sleep(5);
    const { milliseconds, ...second } = await own.score(pictures[1]!);
    expect(second).toEqual(lasting(alone[1]!));
    expect(milliseconds).toBeGreaterThanOrEqual(1499);
    expect(own.pending).toBe(1);
    const third = own.score(pictures[2]!);
    slow.end(pictures[0]!);
    expect(lasting(await first)).toEqual(lasting(alone[0]!));
    // Nobody is waited for any more.
    expect((await third).milliseconds).toBeLessThan(1499);
  });

  test("what the one who is told of them throws reaches their callers, and holds up nobody", async () => {
    let mistakes = 1;
    const onBatch = () => {
      if (mistakes-- > 0) throw new Error("the host's own mistake");
    };
    await using told = await openScorer({ model, device: await sharedDevice(), onBatch });
    expect(await failure(told.score(pictures[0]!))).toMatchObject({ message: "the host's own mistake" });
    expect(lasting(await told.score(pictures[0]!))).toEqual(lasting(alone[0]!));
  });

  test("options that mean nothing are refused", async () => {
    const device = await sharedDevice();
    for (const wrong of [
      ...[{ batch: 0 }, { batch: 1.5 }, { decoders: 0 }, { tiles: 0 }, { maxPixels: 0 }, { maxPixels: 1.5 }],
      ...[{ latencyMs: -1 }, { latencyMs: Number.NaN }, { latencyMs: Number.POSITIVE_INFINITY }],
    ]) {
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

  test("however the walk ends, its source is told and nothing is left", async () => {
    const ends: string[] = [];
    async function* source(fails: boolean) {
      try {
        for (let i = 0; ; i++) {
          if (fails && i === 3) throw new Error("no more files");
          yield pictures[i % 12]!;
          await sleep(1);
        }
      } finally {
        ends.push("told");
      }
    }
    const stop = new AbortController();
    const walk = async (from: AsyncIterable<Uint8Array>, at: () => boolean) => {
      for await (const _ of scorer.scoreMany(from, { signal: stop.signal })) if (at()) break;
    };
    await walk(source(false), () => true);
    expect(await failure(walk(source(true), () => false))).toMatchObject({ message: "no more files" });
    const aborted = failure(walk(source(false), () => void stop.abort(new Error("enough")) === null));
    expect(await aborted).toMatchObject({ message: "enough" });
    for (let i = 0; i < 200 && (ends.length < 3 || scorer.pending > 0); i++) await sleep(5);
    expect({ ends: ends.length, pending: scorer.pending }).toEqual({ ends: 3, pending: 0 });
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

test("aborts at any moment and a close right after leave nothing on the device", async () => {
  using device = await openDevice();
  for (const tiles of [1, 9]) {
    const before = device.memoryUse.usedBytes;
    const own = await openScorer({ model, device, tiles, batch: 4, latencyMs: 2 });
    const large = await sharp(pictures[0]!).resize(90, 90).png().toBuffer();
    const aborted: unknown[] = [];
    for (let i = 0; i < 24; i++) {
      const stop = new AbortController();
      const calls = [0, 1].map(() => failure(own.score(large, { signal: stop.signal })));
      await sleep(i / 2);
      stop.abort(new Error("gone"));
      if (i < 23) aborted.push(...(await Promise.all(calls)));
    }
    await own.close();
    expect(aborted.some((error) => error instanceof Error)).toBe(true);
    expect(own.pending).toBe(0);
    expect(device.memoryUse.usedBytes).toBe(before);
  }
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
