import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Companions, writeCompanions } from "../../../models/networks/companions.ts";
import { QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { modelOptions } from "../../../models/networks/options.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { type IntervalFacts, intervalOf } from "../../../models/trust/interval.ts";
import { fitTypicality, typicalityOf } from "../../../models/trust/typicality.ts";
import { sharedDevice } from "../../engine/device.ts";
import { lasting, noisePictures, smallModel } from "../scoring/fixtures.ts";
import { kinds, unphotographed } from "./unphotographed.ts";

const interval: IntervalFacts = { level: 0.9, pictures: 20, at: [0, 50, 100], below: [5, 20, 30], above: [40, 10, 5] };

let folder = "";
const models: Record<string, string> = {};
const features: Float32Array[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-trusted-"));
  const device = await sharedDevice();
  const options = modelOptions({ stages: 1, embedding: 16, resize: 36, crop: 32, head: "score" });
  const network = new QualityNetwork(device, options);
  models["score"] = join(folder, "score.safetensors");
  await saveModel(models["score"], network, { options, range: [0, 100], history: [], fresh: [] });
  network.dispose();
  const plain = await smallModel(folder, "plain");
  await using scorer = await openScorer({ model: plain, device, features: true });
  for (const picture of await noisePictures(60)) features.push((await scorer.score(picture)).feature!);
  const { facts, tensors } = fitTypicality(features);
  const write = async (name: string, from: string, companions: Companions) => {
    models[name] = join(folder, `${name}.safetensors`);
    await writeCompanions(from, models[name], companions);
  };
  models["plain"] = plain;
  await write("interval", plain, { trust: { facts: { interval }, tensors: {} } });
  await write("both", plain, { trust: { facts: { interval, typicality: facts }, tensors } });
  await write("score alone", models["score"], { trust: { facts: { interval }, tensors: {} } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a scorer says of a score how far it can be trusted", () => {
  test("where its model says so, and the rest of the result is the same to the bit", async () => {
    const device = await sharedDevice();
    const pictures = [...(await noisePictures(3)), await unphotographed("chart", 1)];
    const resultsOf = async (name: string) => {
      await using scorer = await openScorer({ model: models[name]!, device, name: "model" });
      return Promise.all(pictures.map(async (picture) => lasting(await scorer.score(picture))));
    };
    const [plain, some, both] = [await resultsOf("plain"), await resultsOf("interval"), await resultsOf("both")];
    expect(plain.some((result) => "interval" in result || "typicality" in result)).toBe(false);
    const { facts, tensors } = fitTypicality(features);
    const without = (all: typeof both) => all.map(({ interval: _, typicality: __, ...rest }) => rest);
    for (const all of [some, both]) {
      expect(without(all)).toEqual(plain as never);
      for (const { score, interval: found } of all) {
        const [low, high] = intervalOf(score, interval, [0, 100]);
        expect(found).toEqual({ low, high, level: 0.9 });
        expect(low <= score && score <= high).toBe(true);
      }
    }
    expect(some.some((result) => "typicality" in result)).toBe(false);
    for (const [i, { typicality }] of both.entries()) {
      if (i < 3) expect(typicality).toEqual(typicalityOf(features[i]!, facts, tensors));
      else expect(typicality).toEqual({ share: 0, word: "unlike" });
    }
  });

  test("also where it gives a score alone", async () => {
    await using scorer = await openScorer({ model: models["score alone"]!, device: await sharedDevice() });
    const [picture] = await noisePictures(1);
    const { interval: found, standardDeviation } = await scorer.score(picture!);
    expect([found!.level, standardDeviation]).toEqual([0.9, undefined]);
  });
});

test.each(Object.keys(kinds) as (keyof typeof kinds)[])(
  "pictures of the kind %s are made alike in every run",
  async (kind) => {
    const [one, again, other] = await Promise.all([3, 3, 4].map((i) => unphotographed(kind, i)));
    expect(one!.equals(again!)).toBe(true);
    expect(one!.equals(other!)).toBe(false);
  },
);
