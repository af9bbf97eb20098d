import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutGradients } from "../../../engine/autograd.ts";
import { centerCrop, stack } from "../../../engine/ops/pictures/image.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { openSafetensors, toFloat32 } from "../../../engine/weights/safetensors.ts";
import { type Backbone, createBackbone } from "../../../models/backbones/index.ts";
import { decode, upload } from "../../../models/data/index.ts";
import { resumeCpl, trainCpl } from "../../../models/methods/cpl/index.ts";
import { type CplOptionsInput, cplOptions } from "../../../models/methods/cpl/options.ts";
import { QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { type RatedRow, type TrainingData, TrainingInterrupted } from "../../../models/training/training.ts";
import { viewWindows } from "../../../models/views/windows.ts";
import { formula } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small as smallest } from "../training/pictures.ts";

const small: CplOptionsInput = {
  ...smallest,
  stages: 2,
  stageOneEpochs: 4,
  stageTwoEpochs: 2,
};

let folder = "";
let rows: RatedRow[] = [];
let data: TrainingData;
const inFolder = (name: string) => join(folder, name);
const start = () => ({ from: inFolder("start.safetensors") });

/** A model with fresh weights as a file, for runs that freeze sections of it. */
async function writeStart(name: string, input: CplOptionsInput) {
  const model = new QualityNetwork(await sharedDevice(), cplOptions({ ...input, frozen: 0, tokenShare: 1 }));
  const fresh = model.tensors().map((tensor) => tensor.name);
  await saveModel(inFolder(name), model, { options: model.options, range: [0, 100], history: [], fresh });
  model.dispose();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-frozen-"));
  rows = await blurredPictures(inFolder("pictures"), 30);
  data = divided(rows);
  await writeStart("start.safetensors", small);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Rows on disk under their names, with when they were written. */
async function rowFiles(features: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const prefix of await readdir(features)) {
    for (const name of await readdir(join(features, prefix)))
      found.set(join(features, prefix, name), (await stat(join(features, prefix, name))).mtimeMs);
  }
  return found;
}

/** SHA-256 of the bits of every tensor, by name. */
async function tensorsOf(path: string): Promise<Map<string, string>> {
  await using file = await openSafetensors(path);
  const entries = [...file.tensors.keys()].map(async (name) => {
    const bits = new Uint8Array(toFloat32(await file.read(name)).slice().buffer);
    return [name, createHash("sha256").update(bits).digest("hex")] as const;
  });
  return new Map(await Promise.all(entries));
}

describe.each([
  ["the stem and a stage", { frozen: 3 }],
  ["all sections", { frozen: 5 }],
  ["all sections, of crops at original size", { frozen: 5, cropFrom: "original" }],
  [
    "a section between two pooled ones",
    { frozen: 3, featureDepths: [2, 4], pooling: "statistics", featureNorm: "batch" },
  ],
  [
    "the embedding and a block, a share of the tokens, branches left out",
    {
      backbone: "vit_tiny_patch16_224",
      stages: 4,
      frozen: 2,
      featureDepths: [2, 3],
      pooling: "statistics",
      tokenShare: 0.5,
      stochasticDepth: 0.9,
    },
  ],
  ["all sections, with dropout", { frozen: 5, dropout: 0.5 }],
  ["all sections, features normalised once", { frozen: 4, featureDepths: [2, 4], featureNorm: "fixed" }],
] as const)("frozen: %s", (title, change) => {
  const options = { ...small, ...change, featureDepths: [...("featureDepths" in change ? change.featureDepths : [])] };
  const from = async () => {
    const name = `${title}.safetensors`;
    await writeStart(name, options);
    return { from: inFolder(name) };
  };

  test("its weights stay, others learn, and the model scores pictures as training scored rows", async () => {
    const device = await sharedDevice();
    const begin = await from();
    const hooks = { folder: inFolder(title), featureFolder: inFolder(`${title}-features`) };
    const result = await trainCpl(device, data, options, hooks, begin);
    const before = await tensorsOf(begin.from);
    const after = await tensorsOf(join(hooks.folder, "model.safetensors"));
    const names = result.model.frozenNames;
    expect(names.size).toBeGreaterThan(10);
    for (const [name, bits] of before) {
      const same = bits === after.get(name);
      // Of a fixed norm only the statistics are set.
      const isKept = names.has(name) || (title.includes("once") && /^head\.norm\.(weight|bias)$/.test(name));
      expect([name, same]).toEqual([name, isKept]);
    }
    const { predictions, phases } = result.progress;
    expect(phases.map(({ name }) => name)).toContain("frozen sections");
    result.model.dispose();
    await using scorer = await openScorer({ device, model: join(hooks.folder, "model.safetensors") });
    for (const { path, score } of predictions) expect((await scorer.score(path)).score).toBe(score);
    // Two views of what is trained on, one of the test part.
    const files = await rowFiles(hooks.featureFolder);
    expect(files.size).toBe(2 * (data.labelled.length + data.unlabelled.length) + data.test.length);
  });

  test("an interrupted run continues bit for bit", async () => {
    const device = await sharedDevice();
    const stop = new AbortController();
    let seen = 0;
    const hooks = {
      folder: inFolder(`${title}-stopped`),
      featureFolder: inFolder(`${title}-features`),
      signal: stop.signal,
      progress: () => ({
        advance: (_?: number, note?: string) => {
          if (note?.startsWith("loss") && ++seen === 7) stop.abort();
        },
        stop: () => {},
      }),
    };
    await expect(trainCpl(device, data, options, hooks, await from())).rejects.toThrow(TrainingInterrupted);
    const { signal: _, ...again } = hooks;
    (await resumeCpl(device, again)).model.dispose();
    const ends = [title, `${title}-stopped`].map((name) => tensorsOf(join(inFolder(name), "model.safetensors")));
    const [whole, resumed] = await Promise.all(ends);
    expect(resumed).toEqual(whole!);
  });
});

describe("rows on disk", () => {
  const options = { ...small, frozen: 5, stageOneEpochs: 1, stageTwoEpochs: 0 };

  test("are computed once; damaged ones again; broken pictures are left out", async () => {
    const device = await sharedDevice();
    const features = inFolder("shared-features");
    const broken = { name: "broken.jpg", path: inFolder("broken.jpg"), mos: 50 };
    await writeFile(broken.path, "no picture");
    const lines: string[] = [];
    const train = async (name: string, input: CplOptionsInput = options) => {
      const hooks = { folder: inFolder(name), featureFolder: features, log: (line: string) => lines.push(line) };
      const with_ = { ...data, labelled: [...data.labelled, broken] };
      const result = await trainCpl(device, with_, input, hooks, start());
      result.model.dispose();
      return result.progress.predictions;
    };
    const first = await train("first");
    expect(lines.filter((line) => line.includes("left out: broken.jpg"))).toHaveLength(1);
    const files = await rowFiles(features);
    const [one] = files.keys();
    await truncate(one!, 20);
    expect(await train("second")).toEqual(first);
    const again = await rowFiles(features);
    expect([...again.keys()].sort()).toEqual([...files.keys()].sort());
    const rewritten = [...again].filter(([name, time]) => files.get(name) !== time).map(([name]) => name);
    expect(rewritten).toEqual([one!]);
    // Other seeds and rates have the same prefix.
    await train("third", { ...options, seed: 2, freshRate: 1e-3 });
    expect((await rowFiles(features)).size).toBe(files.size);
    // Another size has not.
    await train("fourth", { ...options, resize: 34 });
    expect((await rowFiles(features)).size).toBe(2 * files.size);
  });

  test("belong to the content of a picture, not to its name", async () => {
    const device = await sharedDevice();
    const features = inFolder("content-features");
    const copies = inFolder("copies");
    await mkdir(copies);
    const copied = await Promise.all(
      data.labelled.map(async (row) => {
        const path = join(copies, `copy-${row.name}`);
        await copyFile(row.path, path);
        return { ...row, path };
      }),
    );
    const hooks = (name: string) => ({ folder: inFolder(name), featureFolder: features });
    const only = (labelled: RatedRow[]) => ({ ...data, labelled, test: [] });
    (await trainCpl(device, only([...data.labelled]), options, hooks("originals"), start())).model.dispose();
    const count = (await rowFiles(features)).size;
    (await trainCpl(device, only(copied), options, hooks("copied"), start())).model.dispose();
    expect((await rowFiles(features)).size).toBe(count);
  });

  test("an interruption leaves what was computed", async () => {
    const device = await sharedDevice();
    const features = inFolder("interrupted-features");
    const stop = new AbortController();
    const progress = (label: string) => ({
      advance: () => {
        if (label === "frozen sections") stop.abort();
      },
      stop: () => {},
    });
    const hooks = { folder: inFolder("interrupted"), featureFolder: features, signal: stop.signal, progress };
    const training = trainCpl(device, data, options, hooks, start());
    await expect(training).rejects.toThrow(TrainingInterrupted);
    const { signal: _, progress: __, ...again } = hooks;
    (await resumeCpl(device, again)).model.dispose();
  });
});

test("what cannot be frozen or pooled is refused", async () => {
  const device = await sharedDevice();
  const hooks = { folder: inFolder("refused"), featureFolder: inFolder("refused-features") };
  const train = (input: CplOptionsInput, begin = {}) => trainCpl(device, data, { ...small, ...input }, hooks, begin);
  await expect(train({ frozen: 2 })).rejects.toThrow("without start weights");
  await expect(train({ frozen: 6 }, start())).rejects.toThrow("only 5 sections of resnet18 are used");
  await expect(train({ featureDepths: [2, 6] })).rejects.toThrow("resnet18 has the depths 1 to 5");
  expect(() => new QualityNetwork(device, cplOptions({ ...small, featureDepths: [2], frozen: 3 }))).toThrow(
    "only 2 sections",
  );
  expect(() => cplOptions({ featureDepths: [3, 2] })).toThrow("ascending order");
  await expect(train({ pooling: "statistics" }, start())).rejects.toThrow("has `pooling` standard");
});

test("views are different windows, the centre first", () => {
  const names = (input: CplOptionsInput) =>
    viewWindows(cplOptions(input)).map(({ top, left, flip }) => `${top} ${left} ${flip}`);
  expect(names({ resize: 40, crop: 32, views: 3 })).toEqual(["4 4 false", "4 4 true", "0 0 false"]);
  expect(names({ resize: 40, crop: 32, views: 3, flip: false })).toEqual(["4 4 false", "0 0 false", "8 8 false"]);
  expect(names({ resize: 32, crop: 32, views: 9 })).toEqual(["0 0 false", "0 0 true"]);
});

describe("pooling", () => {
  const pictures = (device: Awaited<ReturnType<typeof sharedDevice>>) =>
    Tensor.from(device, formula({ shape: [2, 32, 32, 3], seed: 3 }), [2, 32, 32, 3]);

  /** Mean and standard deviation over places, in float64. */
  function statistics(values: Float32Array, places: number, width: number) {
    const columns = Array.from({ length: width }, (_, c) =>
      Array.from({ length: places }, (_, p) => values[p * width + c]!),
    );
    const means = columns.map((column) => column.reduce((sum, value) => sum + value, 0) / places);
    const deviations = columns.map((column, c) =>
      Math.sqrt(column.reduce((sum, value) => sum + (value - means[c]!) ** 2, 0) / places + 1e-6),
    );
    return [...means, ...deviations];
  }

  test.each([
    ["resnet18", 5, 128, 0],
    ["vit_tiny_patch16_224", 3, 192, 1],
    ["mobilenet_v2", 4, 24, 0],
  ] as const)("statistics of %s after %i sections", async (name, depth, width, tokens) => {
    const device = await sharedDevice();
    const net: Backbone = createBackbone(name, device, new Random(1, "pooling"));
    const before = net.tensors("").length;
    net.cut(depth);
    expect(net.tensors("").length).toBeLessThan(before);
    expect(net.layers).toBe(depth);
    const reads = device.scope(() =>
      withoutGradients(() => {
        const map = net.through(pictures(device), false);
        return { map: map.read(), shape: map.shape, pooled: net.pool(map, "statistics").read() };
      }),
    );
    const [map, pooled] = await Promise.all([reads.map, reads.pooled]);
    expect(net.features).toBe(width);
    const length = net.lengthOf(depth, "statistics");
    expect(length).toBe(width * (2 + tokens));
    const size = map.length / 2;
    for (let image = 0; image < 2; image++) {
      const own = map.subarray(image * size, (image + 1) * size);
      const expected = [
        ...own.slice(0, tokens * width),
        ...statistics(own.subarray(tokens * width), size / width - tokens, width),
      ];
      const found = pooled.subarray(image * length, (image + 1) * length);
      const largest = Math.max(...expected.map(Math.abs));
      expected.forEach((value, i) => {
        expect(Math.abs(found[i]! - value)).toBeLessThan(1e-5 * largest);
      });
    }
    net.dispose();
  });

  test("a model over several depths is the concatenation of their features", async () => {
    const device = await sharedDevice();
    const options = cplOptions({ ...small, featureDepths: [1, 4], pooling: "statistics" });
    const model = new QualityNetwork(device, options);
    const picture = await decode(rows[0]!.path);
    using resized = upload(device, picture, 36);
    const { all, first } = device.scope(() =>
      withoutGradients(() => {
        const centre = centerCrop(stack([resized]), 32, 32);
        return { all: model.forward(centre, false).embedding.read(), first: model.backbone.layers };
      }),
    );
    expect(first).toBe(4);
    expect(model.backbone.lengthOf(1, "statistics") + model.backbone.lengthOf(4, "statistics")).toBe(2 * 64 + 2 * 128);
    expect((await all).length).toBe(16);
    const embedding = model.tensors().find(({ name }) => name === "head.embedding.weight")!;
    expect(embedding.tensor.shape).toEqual([2 * 64 + 2 * 128, 16]);
    model.dispose();
  });
});
