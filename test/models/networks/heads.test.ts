import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { digestKey, withDigest } from "../../../engine/weights/digest.ts";
import {
  openSafetensors,
  SafetensorsError,
  type TensorToStore,
  toFloat32,
  writeSafetensors,
} from "../../../engine/weights/safetensors.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { supervised } from "../../../models/methods/supervised/index.ts";
import { checked, headOf, heads, meanOf } from "../../../models/networks/heads.ts";
import { openModel, QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures } from "../training/pictures.ts";

const device = await sharedDevice();
const folder = await mkdtemp(join(tmpdir(), "acutance-heads-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("labels", () => {
  const options = { labelMode: "adjacent", labelDeviation: 10, range: "nominal", ordinal: 0, levels: 4 } as const;
  const labels = (head: keyof typeof heads, scores: number[]) => [...heads[head].labels(scores, options)];

  test("are distributions, shares of the scale, or one of the classes of equal width", () => {
    expect(labels("distribution", [1, 34])).toEqual([1, 0, 0, 0, 0, 1, 0, 0]);
    expect(labels("score", [1, 50.5, 100])).toEqual([0, 0.5, 1]);
    // Ends belong to the class below: 1 + 99 / 4 = 25.75.
    expect(labels("classes", [1, 25.75, 25.76, 100])).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  });

  test.each([0.3, 0.8, 2, 1e-4])("classes are smoothed over their neighbours by σ %f", (ordinal) => {
    const [first, third] = [0, 2].map((c) =>
      [0, 1, 2, 3].map((j) => Math.exp(-((j - c) ** 2) / (2 * ordinal ** 2))),
    ) as [number[], number[]];
    const shares = (weights: number[]) => weights.map((w) => w / weights.reduce((a, b) => a + b));
    const found = [...heads.classes.labels([1, 60], { ...options, ordinal })];
    expect(relativeError(found, [...shares(first), ...shares(third)])).toBeLessThan(1e-6);
    if (ordinal < 0.01) expect(found).toEqual([1, 0, 0, 0, 0, 0, 1, 0]);
  });

  test("classes may meet elsewhere than at equal widths: labels, middles, and how much lies below", () => {
    const { labels, score, shareBelow } = headOf({ head: "classes", classEdges: [20.8, 60.4, 80.2] });
    const found = [...labels([1, 20.8, 20.9, 60.5, 80.3, 100], options)];
    expect([0, 1, 2, 3, 4, 5].map((i) => found.slice(4 * i, 4 * i + 4).indexOf(1))).toEqual([0, 0, 1, 2, 3, 3]);
    // Widths 0.2, 0.4, 0.2 and 0.2 of the scale: middles at 0.1, 0.4, 0.7 and 0.9.
    const middles = [0.1, 0.4, 0.7, 0.9];
    const one = (c: number) => [0, 1, 2, 3].map((i) => Number(i === c));
    middles.forEach((middle, c) => {
      expect(score(one(c), [0, 10])).toMatchObject({ class: c });
      expect(score(one(c), [0, 10]).score).toBeCloseTo(10 * middle, 12);
    });
    const below = [0, 0.1, 0.2, 0.4, 0.6, 0.9, 1, 2, -1].map((at) => shareBelow!([0.5, 0.3, 0, 0.2], at));
    for (const [i, share] of [0, 0.25, 0.5, 0.65, 0.8, 0.9, 1, 1, 0].entries())
      expect(below[i]!).toBeCloseTo(share, 12);
    expect(headOf({ head: "classes", classEdges: [] })).toBe(heads.classes);
    const even = headOf({ head: "classes", classEdges: [25.75, 50.5, 75.25] });
    const many = Array.from({ length: 991 }, (_, i) => 1 + i / 10);
    expect(even.labels(many, options)).toEqual(heads.classes.labels(many, options));
  });

  test.each([
    [
      { classEdges: [50], levels: 4 },
      "`classEdges` 50 cut the scale into 2 classes, `levels` is 4; give 3 edges, or `levels` 2",
    ],
    [{ classEdges: [60, 50], levels: 3 }, "`classEdges` 60,50: give each edge once, in ascending order"],
    [{ classEdges: [50, 50], levels: 3 }, "give each edge once"],
    [{ classEdges: [1, 50], levels: 3 }, "classEdges"],
    [{ classesBy: "histogram", classEdges: [50], levels: 2 }, "both say which pictures are of a class"],
    [
      { head: "score", classesBy: "quantile" },
      "`classesBy` quantile says what classes are, and the `head` score has none",
    ],
    [{ head: "distribution", classEdges: [50] }, "`classEdges` 50 says what classes are"],
    [{ classesBy: "size" }, "classesBy"],
  ] as const)("edges that cannot be are refused: %j", (given, message) => {
    expect(() => supervised.options({ head: "classes", ...given } as never)).toThrow(message);
  });

  test("only classes are smoothed", () => {
    const given = (input: object) => () => cplOptions(input);
    expect(given({ ordinal: 1 })).toThrow(
      "`ordinal` 1 smooths classes over their neighbours, and the `head` distribution",
    );
    expect(given({ ordinal: -1, head: "classes" })).toThrow("`ordinal` -1");
    expect(supervised.options({ ordinal: 1, head: "classes" })).toMatchObject({ ordinal: 1 });
  });

  test.each(["distribution", "score", "classes"] as const)("a score outside the scale is refused: %s", (head) => {
    for (const score of [0.9, 100.1, Number.NaN])
      expect(() => labels(head, [50, score])).toThrow(`A score must lie in [1, 100], got ${score}`);
  });
});

describe("answers", () => {
  test("classes: the expectation over their middles, the most probable one, and how much lies below a place", () => {
    const { score, shareBelow } = heads.classes;
    const answer = [0, 0.25, 0.75, 0];
    const found = score(answer, [0, 8]);
    // Middles at 1, 3, 5 and 7 of 8.
    expect(found.score).toBeCloseTo(0.25 * 3 + 0.75 * 5, 10);
    expect(found.standardDeviation!).toBeCloseTo(2 * Math.sqrt(0.25 * 0.75), 10);
    expect(found.confidence!).toBeCloseTo(1 + (0.25 * Math.log(0.25) + 0.75 * Math.log(0.75)) / Math.log(4), 10);
    expect([found.class, found.classProbability]).toEqual([2, 0.75]);
    expect([0, 0.25, 0.375, 0.5, 0.75, 1, 2, -1].map((at) => shareBelow(answer, at))).toEqual([
      0, 0, 0.125, 0.25, 1, 1, 1, 0,
    ]);
    expect(score([0.5, 0.5], [0, 1]).class).toBe(0);
  });

  test("a score is a share of the range, and says nothing of a spread", () => {
    expect(heads.score.score([0.25], [-10, 10])).toEqual({ score: -5 });
    expect(heads.score.score([1.5], [1, 5])).toEqual({ score: 7 });
  });

  test("the mean of views, and what is none", () => {
    expect([...meanOf([Float32Array.of(0.5), Float32Array.of(1)])]).toEqual([0.75]);
    const fails = (head: keyof typeof heads, answer: number[]) => () =>
      checked(heads[head], Float32Array.from(answer), "a.png");
    expect(fails("score", [-0.25])()).toEqual(Float32Array.of(-0.25));
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(fails("score", [wrong])).toThrow(`a.png: no score. The model gives it the score ${wrong}.`);
    expect(fails("classes", [0.5, Number.NaN])).toThrow("no probabilities: 1 of 2 are not finite");
    expect(fails("classes", [0.5, 0.6])).toThrow(/no probabilities: they add up to 1\.1/);
  });
});

const tiny = { backbone: "mobilenet_v2" as const, featureDepths: [2], embedding: 8, resize: 36, crop: 32 };

/** Writes a model with drawn weights. */
async function written(head: keyof typeof heads, levels?: number): Promise<string> {
  const options = supervised.options({ ...tiny, head, ...(levels !== undefined && { levels }) });
  const model = new QualityNetwork(device, options);
  const path = join(folder, `${head}.safetensors`);
  await saveModel(path, model, { options, range: [0, 100], history: [], fresh: [] });
  model.dispose();
  return path;
}

/** The same file with other texts in its card or other numbers, and the digest that belongs to them. */
async function withTexts(
  from: string,
  name: string,
  texts: Record<string, string | undefined>,
  numbers = (_name: string, data: Float32Array<ArrayBuffer>) => data,
): Promise<string> {
  await using file = await openSafetensors(from);
  const tensors: TensorToStore[] = [];
  for (const [name, { dtype, shape }] of file.tensors)
    tensors.push({ name, dtype, shape, data: numbers(name, Float32Array.from(toFloat32(await file.read(name)))) });
  const kept = [...file.metadata].filter(([key]) => key !== digestKey);
  const all = Object.entries({ ...Object.fromEntries(kept), ...texts }).flatMap(([key, text]) =>
    text === undefined ? [] : [[key, text] as const],
  );
  const path = join(folder, `${name}.safetensors`);
  await writeSafetensors(path, tensors, withDigest(tensors, Object.fromEntries(all)));
  return path;
}

const refusal = (path: string) =>
  openModel(device, path).then(
    () => "opened",
    (error) => {
      expect(error).toBeInstanceOf(SafetensorsError);
      return (error as Error).message.replace(path, "FILE");
    },
  );

describe("the card", () => {
  test.each([
    ["distribution", 100],
    ["score", 1],
    ["classes", 5],
  ] as const)("says that the network gives a %s, once", async (head, length) => {
    const path = await written(head);
    await using file = await openSafetensors(path);
    expect(file.metadata.get("network")).toBe(head);
    expect(Object.keys(JSON.parse(file.metadata.get("options")!))).not.toContain("head");
    expect(file.tensors.get("head.logits.weight")!.shape).toEqual([length, 8]);
    const { model, card } = await openModel(device, path);
    expect([card.options.head, model.options.head, model.answerLength]).toEqual([head, head, length]);
    model.dispose();
  });

  test("a fresh network with a score begins in the middle of the scale", async () => {
    const model = new QualityNetwork(device, supervised.options({ ...tiny, head: "score" }));
    const bias = model.tensors().find(({ name }) => name === "head.logits.bias")!;
    expect([...(await bias.tensor.read())]).toEqual([0.5]);
    model.dispose();
  });

  test("with a network that is not known, none, or another than the tensors are of is refused by name", async () => {
    const path = await written("distribution", 20);
    expect(await refusal(await withTexts(path, "ranker", { network: "ranker" }))).toBe(
      'FILE: its network is a "ranker", known are distribution, score, ensemble, classes; a later version of Acutance may be needed',
    );
    expect(await refusal(await withTexts(path, "none", { network: undefined }))).toContain(
      'FILE: its header has no "network"',
    );
    const options = { ...tiny, levels: 100 };
    expect(await refusal(await withTexts(path, "other", { network: "score", options: JSON.stringify(options) }))).toBe(
      'FILE: its card says head score, of length 1, tensor "head.logits.weight" has 20',
    );
    expect(
      await refusal(await withTexts(path, "both", { options: JSON.stringify({ ...tiny, head: "classes" }) })),
    ).toBe('FILE: its card says network "distribution" and head "classes"');
    expect(await refusal(await withTexts(path, "levels", { network: "score" }))).toContain(
      "FILE: its card has `levels` 20: a network with the `head` score gives one number",
    );
  });

  test("of another network with as many numbers is damage", async () => {
    const bytes = await readFile(await written("distribution", 20));
    const text = bytes.toString("latin1");
    const swapped = text.replace('"network":"distribution"', '"network":"classes"     ');
    expect([swapped === text, swapped.length]).toEqual([false, text.length]);
    const path = join(folder, "swapped.safetensors");
    await writeFile(path, swapped, "latin1");
    expect(await refusal(path)).toContain("FILE: the file is damaged, or was changed since it was written");
  });
});

test("unlike pictures of one score are told of, but not where a network is sure of their class", async () => {
  const path = await written("classes");
  const flat = Array.from({ length: 6 }, (_, i) =>
    sharp({ create: { width: 40, height: 40, channels: 3, background: { r: 40 * i, g: 250 - 40 * i, b: 90 } } }),
  );
  for (const [bias, told] of [
    [1, 1],
    [100, 0],
  ] as const) {
    const model = await withTexts(path, `bias-${bias}`, {}, (name, data) => {
      if (name === "head.logits.weight") return data.fill(0);
      return name === "head.logits.bias" ? data.fill(0).fill(bias, 1, 2) : data;
    });
    const notes: string[] = [];
    await using scorer = await openScorer({ model, device, onNote: (note) => notes.push(note) });
    const found = await Array.fromAsync(
      scorer.scoreMany(await Promise.all(flat.map((image) => image.png().toBuffer()))),
    );
    expect(found.map((row) => "class" in row && row.class)).toEqual(flat.map(() => 1));
    expect(notes).toHaveLength(told);
  }
});

/** Bits are those of one adapter: each computes in its own order. */
const adapter = "llvmpipe: Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6) 0.0.1";

// Supervised, 2 epochs of batches of 8 of the pictures below, 10 of 25 labelled.
test("a model made before networks had other heads has a distribution, and its scores are what they were", async () => {
  const pictures = await blurredPictures(join(folder, "pictures"), 25);
  const model = new URL("before-heads.safetensors", import.meta.url);
  await using scorer = await openScorer({ device, model });
  expect(scorer.card.options).toMatchObject({ head: "distribution", levels: 20, labelMode: "gauss", loss: "emd" });
  const expected = [
    { score: 50.57497639298154, standardDeviation: 30.860193027771764, confidence: 0.004571298219484432 },
    { score: 50.583114844570126, standardDeviation: 30.8620043536129, confidence: 0.0045846123754286205 },
    { score: 50.58771129846098, standardDeviation: 30.860724720094247, confidence: 0.004563112737028585 },
  ];
  for (const [i, { path }] of pictures.slice(0, 3).entries()) {
    const { score, standardDeviation, confidence, histogram } = await scorer.score(path);
    const found = { score, standardDeviation, confidence };
    if (device.info.description === adapter) expect(found).toEqual(expected[i]!);
    else expect(score).toBeCloseTo(expected[i]!.score, 2);
    expect(histogram).toHaveLength(20);
  }
});
