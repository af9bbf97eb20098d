import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withDigest } from "../../../engine/weights/digest.ts";
import { openSafetensors, type TensorToStore, writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { toFloat32 } from "../../../engine/weights/stored.ts";
import { type Companions, writeCompanions } from "../../../models/networks/companions.ts";
import { openModel, saveModel } from "../../../models/networks/model.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";
import { failure, lasting, noisePictures, smallModel } from "../scoring/fixtures.ts";

let folder = "";
let plain = "";
let featureLength = 0;
const at = (name: string) => join(folder, `${name}.safetensors`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-companions-"));
  plain = await smallModel(folder);
  const { model, card } = await openModel(await sharedDevice(), plain);
  featureLength = model.featureLength;
  await saveModel(at("with"), model, card, "f32", companions());
  await saveModel(at("half"), model, card, "f16", companions());
  model.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function companions(): Companions {
  const data = (length: number) => Float32Array.from({ length }, (_, i) => 1 / 3 + i / 7);
  return {
    trust: {
      facts: { typicality: { photographs: 9, distances: [0.5, 1, 2] } },
      tensors: {
        mean: { shape: [featureLength], data: data(featureLength) },
        deviation: { shape: [featureLength], data: data(featureLength) },
      },
    },
  };
}

/** The file with other texts and tensors, and a digest of them. */
async function altered(
  name: string,
  texts: Record<string, string>,
  change: (tensors: TensorToStore[]) => TensorToStore[] = (all) => all,
): Promise<string> {
  await using file = await openSafetensors(at("with"));
  const tensors: TensorToStore[] = [];
  for (const key of file.tensors.keys()) {
    const stored = await file.read(key);
    tensors.push({ name: key, dtype: "F32", shape: stored.shape, data: toFloat32(stored).slice() });
  }
  const all = change(tensors);
  const { sha256: _, ...old } = Object.fromEntries(file.metadata);
  await writeSafetensors(at(name), all, withDigest(all, { ...old, ...texts }));
  return at(name);
}

describe("companions of a network", () => {
  test.each(["with", "half"])("come back as they were saved, in the file %s", async (name) => {
    const opened = await openModel(await sharedDevice(), at(name));
    expect(opened.companions).toEqual(companions());
    opened.model.dispose();
  });

  test("are absent where the file has none, and those of later versions are let be", async () => {
    const device = await sharedDevice();
    for (const path of [plain, await altered("later", { trust2: "{}" })]) {
      const opened = await openModel(device, path);
      expect(Object.keys(opened.companions)).toEqual(path === plain ? [] : ["trust"]);
      opened.model.dispose();
    }
  });

  test("can be written beside a model's tensors, which stay as they are to the bit", async () => {
    const other: Companions = { trust: { ...companions().trust!, facts: { ...companions().trust!.facts } } };
    await writeCompanions(at("half"), at("other"), other);
    await writeCompanions(at("half"), at("none"), {});
    const whole = async (name: string) => {
      await using file = await openSafetensors(at(name));
      const names = [...file.tensors.keys()].filter((key) => !key.startsWith("trust."));
      const bytes = await Promise.all(names.map(async (key) => [key, Buffer.from((await file.read(key)).bytes)]));
      return { bytes, card: file.metadata.get("options"), trust: file.metadata.has("trust") };
    };
    const before = await whole("half");
    expect(await whole("other")).toEqual(before);
    expect(await whole("none")).toEqual({ ...before, trust: false });
    for (const name of ["other", "none"]) {
      const { model, companions: found, notes } = await openModel(await sharedDevice(), at(name));
      expect([found, notes]).toEqual([name === "other" ? other : {}, []]);
      model.dispose();
    }
  });

  const noTensor = (all: TensorToStore[]) => all.filter(({ name }) => name !== "trust.mean");
  const data = (values: ArrayLike<number>) => (all: TensorToStore[]) =>
    all.map((one) =>
      one.name === "trust.mean" ? { ...one, shape: [values.length], data: Float32Array.from(values) } : one,
    );
  const facts = (typicality: object) => ({ trust: JSON.stringify({ typicality }) });
  const interval = (at: number[]) => {
    return { trust: JSON.stringify({ interval: { level: 0.9, pictures: 9, at, below: [1, 1, 1], above: [1, 1, 1] } }) };
  };
  test.each([
    ["text", { trust: "{" }, undefined, "its trust"],
    ["form", facts({ photographs: "many", distances: [1, 2] }), undefined, "photographs"],
    ["name", { trust: '{"typical":1}' }, undefined, "typical"],
    ["no-tensor", {}, noTensor, 'no tensor "trust.mean"'],
    ["length", {}, data([1, 2]), 'tensor "trust.mean" is [2], expected [64]'],
    ["nan", {}, (all: TensorToStore[]) => data(new Float32Array(featureLength).fill(Number.NaN))(all), "trust.mean"],
    ["falling", facts({ photographs: 9, distances: [2, 1] }), undefined, "they rise"],
    ["scale", interval([0, 50, 99]), undefined, "scores from 0 to 99, the model's go from 0 to 100"],
    ["lengths", interval([0, 50, 100, 101]), undefined, "`below` and `above` have a number for each"],
  ] as const)("that cannot be are refused by name of the file: %s", async (name, texts, change, message) => {
    const error = await failure(openModel(await sharedDevice(), await altered(name, texts, change)));
    const { name: kind, message: found } = error as Error;
    expect([kind, found.slice(0, at(name).length)]).toEqual(["SafetensorsError", at(name)]);
    expect(found).toContain(message);
  });

  test("leave the bits of scores alone, and features come with them when asked for", async () => {
    const device = await sharedDevice();
    const pictures = await noisePictures(5);
    const results = async (model: string, options: { features?: boolean; tiles?: number } = {}) => {
      await using scorer = await openScorer({ model, device, name: "one", ...options });
      expect(scorer.featureLength).toBe(featureLength);
      return Promise.all(pictures.map(async (picture) => lasting(await scorer.score(picture))));
    };
    for (const tiles of [undefined, 4]) {
      const shown = tiles === undefined ? {} : { tiles };
      const [without, beside, asked] = [
        await results(plain, shown),
        await results(at("with"), shown),
        await results(plain, { features: true, ...shown }),
      ];
      const scoresOf = (all: typeof asked) => all.map(({ score, histogram }) => ({ score, histogram }));
      expect(scoresOf(beside)).toEqual(scoresOf(without));
      expect(asked.map(({ feature: _, ...rest }) => rest)).toEqual(without as never);
      expect(new Set(asked.map(({ feature }) => feature!.join())).size).toBe(5);
      for (const { feature } of asked) {
        expect(feature).toBeInstanceOf(Float32Array);
        expect([feature!.length, feature!.every(Number.isFinite)]).toEqual([featureLength, true]);
      }
      expect(without.concat(beside).some((result) => "feature" in result)).toBe(false);
    }
  });
});
