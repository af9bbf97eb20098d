import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import type { Device } from "../../../engine/device/device.ts";
import { OutOfMemoryError } from "../../../engine/device/errors.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { PictureError } from "../../../models/data/index.ts";
import { openScorer, type Scorer } from "../../../models/scoring/scorer.ts";
import { openService } from "../../../models/service/index.ts";
import { costlyPictures } from "../service/costly.ts";
import { noisePictures, smallModel } from "./fixtures.ts";

const MiB = 2 ** 20;

let folder: string;
let model: string;
let good: Uint8Array[];
let tall: Uint8Array;
/** One with little memory. */
let device: Device;
let scorer: Scorer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-failure-"));
  model = await smallModel(folder);
  good = await noisePictures(3);
  tall = await costlyPictures["screenshot 1080 x 25,000"]!();
  device = await openDevice({ memoryLimitBytes: 64 * MiB });
  scorer = await openScorer({ model, device });
});
afterAll(async () => {
  await scorer.close();
  device.close();
  await rm(folder, { recursive: true, force: true });
});

const rowsOf = (pictures: Parameters<Scorer["scoreMany"]>[0], by = scorer) => Array.fromAsync(by.scoreMany(pictures));

describe("what goes wrong with one picture", () => {
  test("is its row where the device is too small for it, and the others are scored as ever", async () => {
    const [first, middle, last] = await rowsOf([good[0]!, tall, good[1]!]);
    expect(middle).toMatchObject({ error: { name: "PictureError", reason: "too-large" } });
    expect((middle as { error: Error }).error.message).toContain("Its 1080 x 25000 pixels do not fit the device");
    for (const [i, row] of [first, last].entries())
      expect((row as { score: number }).score).toBe((await scorer.score(good[i]!)).score);
  });

  test("is its row where the host runs out of memory", async () => {
    const broken = sharp(good[0]!);
    broken.clone = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    const [row, other] = await rowsOf([broken, good[1]!]);
    expect(row).toMatchObject({ error: { name: "PictureError", reason: "too-large" } });
    expect(other).toHaveProperty("score");
  });

  test("is the row of each of its batch where the memory of the device is taken, until there is some again", async () => {
    const taken: Tensor[] = [];
    for (let size = 16 * MiB; size >= MiB / 16; size /= 2) {
      try {
        for (;;) taken.push(Tensor.zeros(device, [size / 4]).keep());
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemoryError);
      }
    }
    for (const row of await rowsOf(good)) {
      const { error } = row as { error: Error };
      expect(error instanceof OutOfMemoryError || (error instanceof PictureError && error.reason === "too-large")).toBe(
        true,
      );
    }
    for (const tensor of taken) tensor.dispose();
    for (const row of await rowsOf(good)) expect(row).toHaveProperty("score");
  });

  test("is not what the host's own code throws, or an option that means nothing", async () => {
    const failing = await openScorer({
      ...{ model, device },
      onBatch: () => {
        throw new Error("the host's own");
      },
    });
    await expect(rowsOf(good, failing)).rejects.toThrow("the host's own");
    await failing.close();
    await expect(openScorer({ model, device, background: "no colour" })).rejects.toThrow('got "no colour"');
    await expect(openScorer({ model, device, strictness: "eror" as never })).rejects.toThrow('did you mean "error"?');
    await expect(rowsOf(good).then(() => Array.fromAsync(scorer.scoreMany(good, { onresult: 1 } as never))))
      .rejects //
      .toThrow('did you mean "onResult"?');
  });
});

test("the service answers 413 for a picture that its device is too small for, alone or as a row", async () => {
  await using service = await openService({
    models: [{ model, device }],
    limits: { decodeSeconds: 100 },
  });
  const send = (body: Request | FormData | Uint8Array) =>
    service.answer(
      new Request("http://localhost/v1/score", {
        method: "POST",
        body: body as never,
        ...(body instanceof Uint8Array && { headers: { "content-type": "image/png" } }),
      }),
    );
  const alone = await send(tall);
  expect(alone.status).toBe(413);
  expect(await alone.json()).toMatchObject({ code: "too-large", status: 413 });
  const form = new FormData();
  for (const [i, bytes] of [good[0]!, tall, good[1]!].entries())
    form.append(`p${i}`, new File([new Uint8Array(bytes)], `${i}.png`));
  const together = await send(form);
  expect(together.status).toBe(200);
  const { pictures } = (await together.json()) as { pictures: { score?: number; error?: object }[] };
  expect(pictures.map(({ score }) => typeof score)).toEqual(["number", "undefined", "number"]);
  expect(pictures[1]!.error).toMatchObject({ code: "too-large", status: 413 });
});
