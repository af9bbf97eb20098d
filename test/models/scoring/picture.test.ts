import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { scoreOf } from "../../../models/labels/score.ts";
import type { PictureSource } from "../../../models/scoring/picture-source.ts";
import { openScorer, type PictureScore, type Scorer } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";
import { badPictures, copyOf, failure, lasting, openKnown } from "./fixtures.ts";

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

/** A byte every millisecond, until it is told to end. */
async function* chunks(ended: () => void) {
  try {
    for (;;) {
      yield Uint8Array.of(1);
      await sleep(1);
    }
  } finally {
    ended();
  }
}

describe("a picture", () => {
  test.each<[string, (path: string, bytes: Uint8Array) => PictureSource]>([
    ["a path", (path) => path],
    ["a file: URL", (path) => pathToFileURL(path)],
    ["a file: URL as a string", (path) => pathToFileURL(path).href],
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
    expect(Math.abs(histogram!.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-5);
    expect({ score, standardDeviation, confidence }).toEqual(scoreOf(histogram!, [0, 100]));
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

  test.each<[string, (cancelled: () => void) => PictureSource]>([
    ["a web stream", (cancel) => new ReadableStream({ cancel })],
    ["the body of a Response", (cancel) => new Response(new ReadableStream({ cancel }))],
    ["a node stream", (cancel) => new Readable({ read() {}, destroy: (_, done) => done(void cancel()) })],
    ["an iterator that answers", (cancel) => chunks(cancel)],
  ])("%s that nobody wants any more is told so, also while it is read", async (_, source) => {
    const cancelled = Promise.withResolvers<void>();
    const stop = new AbortController();
    const call = failure(scorer.score(source(cancelled.resolve), { signal: stop.signal }));
    await sleep(5);
    stop.abort(new Error("gone"));
    expect(await call).toMatchObject({ message: "gone" });
    await cancelled.promise;
  });

  test.each<[string, (cancelled: () => void) => PictureSource, string]>([
    [
      "too long",
      (cancel) => new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(1e5)), cancel }),
      "too-many-bytes",
    ],
    ["no success", (cancel) => new Response(new ReadableStream({ cancel }), { status: 503 }), "unreadable"],
  ])("a body that is %s is not read on", async (_, source, reason) => {
    const cancelled = Promise.withResolvers<void>();
    await using strict = await openScorer({ model, device: await sharedDevice(), maxBytes: 1e6 });
    expect(await failure(strict.score(source(cancelled.resolve)))).toMatchObject({ reason });
    await cancelled.promise;
  });

  test("of a body that was read before is no picture", async () => {
    const response = new Response(copyOf(pictures[0]!));
    await response.arrayBuffer();
    expect(await failure(scorer.score(response))).toBeInstanceOf(TypeError);
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

test("strings that are other URLs get an advice, and stay rows among others", async () => {
  const data = `data:image/png;base64,${Buffer.from(pictures[0]!).toString("base64")}`;
  const urls = ["https://example.org/a.jpg", "HTTP://example.org", "s3://bucket/a.jpg", "blob:nodedata:1", data];
  for (const url of urls) {
    const error = await failure(scorer.score(url));
    expect(error).toMatchObject({ name: "PictureError", reason: "not-a-file" });
    expect(error.message).toContain("It is a URL");
    expect(error.message).toContain("scorer.score(await fetch(url))");
    expect(error.message.length).toBeLessThan(400);
  }
  expect((await failure(scorer.score("file://elsewhere/a.jpg"))).message).toContain("not a file");
  const mixed = [urls[0]!, pictures[1]!];
  const rows = await Array.fromAsync(scorer.scoreMany<string | Uint8Array>(mixed));
  expect(rows.map((row) => ("error" in row ? row.error.name : row.score))).toEqual(["PictureError", alone[1]!.score]);
  // A colon alone makes no URL.
  expect((await failure(scorer.score("a:b.jpg"))).message).toContain("missing");
});

test("what is no file is not read, also behind a link", async () => {
  const pipe = join(folder, "pipe.png");
  spawnSync("mkfifo", [pipe]);
  const link = join(folder, "link.png");
  await symlink("/dev/zero", link);
  for (const [path, what] of [
    [pipe, "a pipe"],
    [link, "a device"],
    [folder, "a folder"],
  ] as const) {
    const error = await failure(scorer.score(path));
    expect(error).toMatchObject({ reason: "not-a-file", detail: `It is ${what}.` });
    await expect(openScorer({ model: path })).rejects.toThrow(`${path} is ${what}`);
  }
});
