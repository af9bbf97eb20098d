import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor } from "../../../../engine/tensor.ts";
import { openSafetensors } from "../../../../engine/weights/safetensors.ts";
import { graphPoints } from "../../../../models/methods/cpl/graph-space.ts";
import { trainCpl } from "../../../../models/methods/cpl/index.ts";
import { type CplOptionsInput, cplOptions } from "../../../../models/methods/cpl/options.ts";
import { certainties, refreshPseudoLabels, sourceVectors } from "../../../../models/methods/cpl/pseudo-labels.ts";
import { readCard } from "../../../../models/networks/card.ts";
import { defaultModel } from "../../../../models/scoring/shipped-models.ts";
import { pictureInputs } from "../../../../models/views/crop-inputs.ts";
import { features, featuresAndAnswers, predict } from "../../../../models/views/predict.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";

interface Golden {
  readonly options: CplOptionsInput;
  readonly features: number[][];
  readonly answers: number[][];
  readonly labels: number[][];
  readonly points: Readonly<Record<"embedding" | "cdf" | "both", number[][]>>;
  readonly cases: { readonly options: CplOptionsInput; readonly targets: number[][]; readonly weights: number[] }[];
}

const golden: Golden = JSON.parse(readFileSync(new URL("../../../golden/label_step.json", import.meta.url), "utf8"));
const device = await sharedDevice();
const flat = (rows: number[][]) => Float32Array.from(rows.flat());

function seen() {
  const { length } = golden.features;
  return {
    features: Tensor.from(device, flat(golden.features), [length, golden.features[0]!.length]),
    answers: flat(golden.answers),
  };
}

describe("the label step", () => {
  test.each(["embedding", "cdf", "both"] as const)("pictures as points: %s", async (graphSpace) => {
    const { features, answers } = seen();
    using given = features;
    using points = await graphPoints({ features: given, answers }, { graphSpace, levels: 5 });
    expect(relativeError(await points.read(), golden.points[graphSpace].flat())).toBeLessThan(1e-5);
  });

  test("an embedding that says nothing leaves the predictions alone", async () => {
    using constant = Tensor.from(device, new Float32Array(40 * 6).fill(3), [40, 6]);
    const from = { features: constant, answers: flat(golden.answers) };
    using points = await graphPoints(from, { graphSpace: "both", levels: 5 });
    expect((await points.read()).every(Number.isFinite)).toBe(true);
    expect(points.shape).toEqual([40, 11]);
  });

  test.each(golden.cases.map((each) => [Object.values(each.options).join(", "), each] as const))(
    "equals dense float64: %s",
    async (_, { options, targets, weights }) => {
      const before = device.memoryUse.usedBytes;
      const pictures = seen();
      const all = cplOptions({ ...golden.options, ...options });
      const { pseudo, refresh } = await refreshPseudoLabels(pictures, flat(golden.labels), all);
      pictures.features.dispose();
      expect(relativeError(pseudo.targets, targets.flat())).toBeLessThan(1e-4);
      expect(relativeError(pseudo.weights, weights)).toBeLessThan(1e-4);
      expect(refresh).toMatchObject({ converged: true, unreachable: 0 });
      await device.finish();
      expect(device.memoryUse.usedBytes).toBe(before);
    },
  );

  test("the mean of a picture that no label reaches is its own prediction", () => {
    const [spread, own] = [Float32Array.of(0.5, 0.5, 1, 0), Float32Array.of(0.75, 0.25, 0.25, 0.75)];
    const mean = sourceVectors(spread, own, [0, 0.4], { pseudoSource: "mean", levels: 2 });
    expect([...mean]).toEqual([0.75, 0.25, 0.625, 0.375]);
  });

  test("confidences that are all 0 stay so when they are divided", () => {
    const uniform = new Float32Array(8).fill(0.25);
    for (const divideByMaximum of ["off", "all", "unlabelled"] as const)
      expect([...certainties(uniform, 1, { divideByMaximum, levels: 4 })]).toEqual([0]);
  });
});

describe("options", () => {
  test("defaults are the paper's", () => {
    const { divideByMaximum, graphSpace, pseudoSource } = cplOptions();
    expect([divideByMaximum, graphSpace, pseudoSource]).toEqual(["off", "embedding", "propagated"]);
  });

  test("a card of an earlier version says true or false", async () => {
    const read = (divideByMaximum: unknown) => cplOptions({ divideByMaximum } as CplOptionsInput).divideByMaximum;
    expect([read(true), read(false), read("all")]).toEqual(["unlabelled", "off", "all"]);
    expect(() => read("yes")).toThrow('`divideByMaximum` "yes"');
    await using file = await openSafetensors(defaultModel);
    const { options } = readCard(file) as unknown as { options: CplOptionsInput };
    const {
      graphSpace: _,
      pseudoSource: __,
      ...earlier
    } = { ...options, divideByMaximum: true } as unknown as CplOptionsInput;
    expect(cplOptions(earlier)).toMatchObject({ divideByMaximum: "unlabelled", graphSpace: "embedding" });
  });
});

describe("in training", () => {
  let folder = "";
  let data: ReturnType<typeof divided>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-label-step-"));
    data = divided(await blurredPictures(join(folder, "pictures"), 40));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function train(name: string, options: CplOptionsInput) {
    const own = { ...small, stageOneEpochs: 2, stageTwoEpochs: 2, ...options };
    const { model, progress } = await trainCpl(device, data, own, { folder: join(folder, name) });
    model.dispose();
    return progress;
  }

  test("features and predictions of one pass are those of two", async () => {
    const { model } = await trainCpl(device, data, { ...small, stageOneEpochs: 1, stageTwoEpochs: 0 }, { folder });
    const inputs = pictureInputs(model, 32);
    const rows = [...data.labelled, { name: "absent.png", path: join(folder, "absent.png") }, ...data.unlabelled];
    const both = await featuresAndAnswers(model, rows, inputs);
    const alone = await features(model, rows, inputs);
    expect(both.rows).toEqual([...data.labelled, ...data.unlabelled]);
    expect(await both.features.read()).toEqual(await alone.features.read());
    const answers: number[] = [];
    for await (const shown of predict(model, both.rows, inputs, model.options))
      if ("value" in shown) answers.push(...(shown.value as Float32Array));
    expect([...both.answers]).toEqual(answers);
    for (const each of [both.features, alone.features, inputs, model]) each.dispose();
  });

  test("both sources are on record at every refresh, whichever is learnt", async () => {
    const [given, own] = [await train("given", {}), await train("own", { pseudoSource: "own" })];
    for (const { refreshes } of [given, own])
      for (const { quality, propagated, own } of refreshes) {
        expect([quality, propagated, own].map((each) => each!.n)).toEqual(Array(3).fill(data.unlabelled.length));
        expect(propagated!.srcc).not.toBe(own!.srcc);
        expect(Math.abs(own!.plcc!)).toBeLessThanOrEqual(1);
      }
    const learnt = ({ quality }: { quality?: object | undefined }) => ({ ...quality, confidenceSrcc: undefined });
    expect(given.refreshes.map(learnt)).toEqual(
      given.refreshes.map(({ propagated }) => learnt({ quality: propagated })),
    );
    expect(own.refreshes.map(learnt)).toEqual(own.refreshes.map(({ own }) => learnt({ quality: own })));
    // Stage 1 was the same, and so was what came of it.
    expect(own.refreshes[0]!.propagated).toEqual(given.refreshes[0]!.propagated!);
    // What is told of the network is what it predicts: here of the pictures that the graph was made of.
    expect(own.pseudoLabels.map(({ pseudo }) => pseudo)).not.toEqual(given.pseudoLabels.map(({ pseudo }) => pseudo));
  });

  test("a picture that cannot be read takes no part in what is on record", async () => {
    const unlabelled = [...data.unlabelled, { name: "absent.png", path: join(folder, "absent.png"), mos: 50 }];
    const more = { ...small, stageOneEpochs: 1, stageTwoEpochs: 1 };
    const { model, progress } = await trainCpl(device, { ...data, unlabelled }, more, {
      folder: join(folder, "fewer"),
    });
    model.dispose();
    expect(progress.refreshes[0]!.own!.n).toBe(data.unlabelled.length);
    expect(progress.refreshes[0]!.propagated!.n).toBe(data.unlabelled.length);
  });

  test.each([
    { graphSpace: "cdf", pseudoSource: "own" },
    { graphSpace: "both", pseudoSource: "mean", divideByMaximum: "all" },
    { graphSpace: "cdf", affinity: "cos" },
  ] as const)("trains, and changes what is learnt: %j", async (options) => {
    const name = Object.values(options).join("-");
    const { losses, refreshes } = await train(name, options);
    expect(losses.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    expect(refreshes.every(({ converged }) => converged)).toBe(true);
    await train("plain", {});
    const bytes = await Promise.all([name, "plain"].map((each) => readFile(join(folder, each, "model.safetensors"))));
    expect(bytes[0]).not.toEqual(bytes[1]!);
  });
});
