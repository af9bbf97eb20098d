import { afterAll, describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { decode } from "../../../../../models/data/pictures/decode.ts";
import { DecoderBusyError } from "../../../../../models/data/pictures/decoding/errors.ts";
import { DecoderPool } from "../../../../../models/data/pictures/decoding/pool.ts";
import { PictureError } from "../../../../../models/data/pictures/picture-error.ts";
import { badPictures, noisePictures } from "../../../scoring/fixtures.ts";
import { manyScans } from "../../../service/costly.ts";

/** A PNG of one colour: a small file of many pixels. */
async function plain(width: number, height: number): Promise<Uint8Array> {
  const image = sharp({ create: { width, height, channels: 3, background: "teal" }, limitInputPixels: false });
  return new Uint8Array(await image.png({ compressionLevel: 1 }).toBuffer());
}

const whole = async (picture: { pixels: Uint8Array; width: number; height: number }) => picture;

describe("pictures decoded in processes of their own", () => {
  const pool = new DecoderPool({ processes: 2 });
  afterAll(() => pool[Symbol.asyncDispose]());

  test("have the pixels that they have in this one", async () => {
    for (const bytes of await noisePictures(6)) {
      expect(await pool.decode(bytes, {}, whole)).toEqual(await decode(bytes));
    }
  });

  test("many at a time keep their order", async () => {
    const pictures = await noisePictures(24);
    const sizes = await Promise.all(pictures.map((bytes) => pool.decode(bytes, {}, whole)));
    const expected = await Promise.all(pictures.map((bytes) => decode(bytes)));
    expect(sizes).toEqual(expected);
  });

  test("are refused with the same reason, detail and name", async () => {
    const [bytes] = await noisePictures(1);
    const options = { maxPixels: 100, name: "small.png" };
    const here = await decode(bytes!, options).catch((error: unknown) => error);
    const there = await pool.decode(bytes!, options, whole).catch((error: unknown) => error);
    expect(there).toBeInstanceOf(PictureError);
    expect((there as Error).message).toBe((here as Error).message);
  });

  test("are refused with the same reason where there is no header to read", async () => {
    for (const { bytes, reason } of Object.values(await badPictures())) {
      const there = pool.decode(bytes, { maxPixels: 1e6 }, whole);
      expect(await there.catch((error: unknown) => error)).toMatchObject({ name: "PictureError", reason });
    }
  });

  test("an option that means nothing is the caller's mistake", async () => {
    const [bytes] = await noisePictures(1);
    const decoding = pool.decode(bytes!, { shrinkToShorterSide: -1 }, whole);
    expect(decoding).rejects.toThrow(RangeError);
    await decoding.catch(() => {});
  });

  test("an aborted one leaves the others alone", async () => {
    const [bytes] = await noisePictures(1);
    const gone = new AbortController();
    const slow = pool.decode(bytes!, {}, async () => sleep(60_000, undefined, { signal: gone.signal, ref: false }), {
      signal: gone.signal,
    });
    slow.catch(() => {});
    gone.abort(new Error("gone"));
    expect(slow).rejects.toThrow("gone");
    await Promise.all(Array.from({ length: 6 }, () => pool.decode(bytes!, {}, whole)));
    expect(pool.waiting).toBe(0);
  });
});

describe("a picture that takes too much", () => {
  test("time is refused, and the next is decoded", async () => {
    await using pool = new DecoderPool({ processes: 1, seconds: 1, slowSeconds: 1000 });
    const [good] = await noisePictures(1);
    await pool.decode(good!, {}, whole); // the process is there
    const long = pool.decode(await manyScans(100), { name: "long.jpg" }, whole);
    expect(long).rejects.toThrow("long.jpg: too costly. Decoding it takes more than 1 s.");
    await long.catch(() => {});
    expect(await pool.decode(good!, {}, whole)).toEqual(await decode(good!));
  });

  test("memory is refused, and the next is decoded", async () => {
    const [good] = await noisePictures(1);
    await using pool = new DecoderPool({ processes: 1, memoryBytes: 300 * 2 ** 20, seconds: 60, slowSeconds: 60 });
    const long = pool.decode(await plain(11_000, 11_000), {}, whole);
    expect(long).rejects.toThrow("takes more than 314572800 bytes of memory");
    await long.catch(() => {});
    expect(await pool.decode(good!, {}, whole)).toEqual(await decode(good!));
  });

  test("waits for its like, and no other waits for it", async () => {
    await using pool = new DecoderPool({ processes: 1, slowSeconds: 0.01, seconds: 5 });
    const [good] = await noisePictures(1);
    await pool.decode(good!, {}, whole);
    const slow = await plain(800, 800);
    const [held, isHeld] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const first = pool.decode(slow, {}, async () => {
      isHeld.resolve();
      await held.promise;
    });
    await isHeld.promise;
    const second = pool.decode(slow, {}, whole);
    second.catch(() => {});
    for (let i = 0; i < 5; i++) await pool.decode(good!, {}, whole);
    expect(second).rejects.toThrow(DecoderBusyError);
    await second.catch(() => {});
    held.resolve();
    await first;
  });
});

test("a pool that is closed ends what waits", async () => {
  const pool = new DecoderPool({ processes: 1 });
  const [good] = await noisePictures(1);
  const pictures = Array.from({ length: 3 }, () => pool.decode(good!, {}, whole));
  await pool[Symbol.asyncDispose]();
  const ends = await Promise.allSettled(pictures);
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
});
