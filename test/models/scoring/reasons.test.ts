import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { openScorer, type ScorerOptions } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";
import { pixels } from "../classic/pictures.ts";
import { settledFile } from "../reasons/made-head.ts";
import { smallModel } from "./fixtures.ts";

let folder = "";
let model = "";
/** Tells noise before blur. */
let noisy = "";
const inFolder = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-reasons-"));
  model = await smallModel(folder);
  noisy = await settledFile(inFolder("noisy.safetensors"), { noise: 1, blur: 0.5, none: -1 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const made = (width: number, height: number) =>
  sharp(pixels("waves", height, width), { raw: { width, height, channels: 3 } });
const open = async (options: ScorerOptions) => openScorer({ model, device: await sharedDevice(), ...options });

describe("reasons of a score", () => {
  test("are told by a file, the most probable first, the same in every way of asking", async () => {
    await using scorer = await open({ reasons: noisy });
    expect(scorer.tellsReasons).toBe(true);
    const picture = await made(120, 90).png().toBuffer();
    const { reasons } = await scorer.score(picture);
    const total = Math.exp(1) + Math.exp(0.5) + Math.exp(-1);
    expect(reasons!.map(({ reason }) => reason)).toEqual(["noise", "blur"]);
    expect(reasons![0]!.probability).toBeCloseTo(Math.exp(1) / total, 6);
    for await (const row of scorer.scoreMany([picture, picture])) expect(row).toMatchObject({ reasons });
    await using byUrl = await open({ reasons: pathToFileURL(noisy) });
    expect((await byUrl.score(picture)).reasons).toEqual(reasons!);
  });

  test("are none of a score above the threshold, and where none is the most probable", async () => {
    const picture = await made(120, 90).png().toBuffer();
    await using plain = await open({});
    const { score } = await plain.score(picture);
    const at = async (good: number) => {
      const path = await settledFile(inFolder(`${good}.safetensors`), { noise: 5 }, good);
      await using scorer = await open({ reasons: path });
      return (await scorer.score(picture)).reasons!.map(({ reason }) => reason);
    };
    expect(await at(score / 100 + 0.01)).toEqual(["noise"]);
    expect(await at(score / 100 - 0.01)).toEqual([]);
    await using sound = await open({ reasons: await settledFile(inFolder("sound.safetensors"), { none: 5 }) });
    expect((await sound.score(picture)).reasons).toEqual([]);
  });

  test("are absent where nobody asked, and of pictures that are too small", async () => {
    await using plain = await open({});
    expect(plain.tellsReasons).toBe(false);
    expect(await plain.score(await made(120, 90).png().toBuffer())).not.toHaveProperty("reasons");
    await using scorer = await open({ reasons: noisy });
    expect(await scorer.score(await made(60, 40).png().toBuffer())).not.toHaveProperty("reasons");
    // Reduced to 512 pixels it is 32 high.
    expect(await scorer.score(await made(1600, 100).png().toBuffer())).not.toHaveProperty("reasons");
    expect((await scorer.score(await made(1400, 200).jpeg().toBuffer())).reasons).toHaveLength(2);
  });

  test("come of grey pictures and of those with alpha, by the file that comes with Acutance", async () => {
    await using scorer = await open({ reasons: true });
    for (const picture of [made(90, 100).grayscale(), made(90, 100).ensureAlpha(0.4)]) {
      const { reasons = [{ probability: 2 }] } = await scorer.score(await picture.png().toBuffer());
      for (const { probability } of reasons) expect(probability).toBeLessThanOrEqual(1);
    }
  });

  test("a file that is none is refused before a picture is looked at", async () => {
    expect(open({ reasons: inFolder("nowhere.safetensors") })).rejects.toThrow("there is no such file");
    expect(open({ reasons: model })).rejects.toThrow("is no file of reasons");
    expect(open({ reasons: 5 } as never)).rejects.toThrow("reasons");
  });
});
