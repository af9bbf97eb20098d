import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../../engine/random.ts";
import { ownChanges } from "../../../models/experiments/settings.ts";
import { supervised } from "../../../models/methods/supervised/index.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { classOfMos } from "../../../models/training/class-results.ts";
import { labelMos, quantileEdges } from "../../../models/training/classes.ts";
import { startTraining } from "../../../models/training/train.ts";
import type { TrainingData } from "../../../models/training/training.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small } from "./pictures.ts";

let folder = "";
let data: TrainingData;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-classes-by-"));
  const rows = await blurredPictures(join(folder, "pictures"), 25);
  // Most are good: the highest of equal widths would hold most of them.
  data = divided(rows.map((row) => ({ ...row, mos: 100 * Math.sqrt(row.mos / 100) })));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const quick = { ...ownChanges(small, "supervised"), epochs: 1, batch: 4, head: "classes", levels: 3 };
const trained = async (name: string, given: TrainingData, more: object, start = {}) =>
  startTraining(
    supervised,
    await sharedDevice(),
    given,
    { ...quick, ...more } as never,
    { folder: join(folder, name) },
    start,
  );

describe("edges by quantile", () => {
  test("part the labelled pictures into classes of as many each, whatever their order", () => {
    const random = new Random(1, "scores");
    for (const [count, classes] of [
      [12, 3],
      [100, 5],
      [186, 5],
      [7, 7],
      [17, 4],
    ] as const) {
      const scores = Array.from({ length: count }, () => 1.5 + 98 * random.uniform() ** 2);
      const edges = quantileEdges(scores, classes);
      expect(quantileEdges(scores.toReversed(), classes)).toEqual(edges);
      const own = scores.map((score) => edges.filter((edge) => score > edge).length);
      const counts = Array.from({ length: classes }, (_, c) => own.filter((each) => each === c).length);
      for (const each of counts) expect(Math.abs(each - count / classes)).toBeLessThan(1);
    }
  });

  test.each([
    [[5, 5, 5, 5, 5, 5], 2, "6 labelled pictures with 1 different scores cannot be cut into 2 classes"],
    [[1, 1, 1, 50, 60, 70], 4, "with 4 different scores"],
    [[2, 2, 2, 2, 3, 4], 3, "give fewer `levels`, or `classesBy` width"],
    [[40, 100, 100, 100], 2, "with 2 different scores"],
    [[40, 60], 3, "2 labelled pictures"],
    [[], 2, "0 labelled pictures"],
  ])("%p in %d are refused", (scores, classes, message) => {
    expect(() => quantileEdges(scores, classes)).toThrow(message);
  });
});

describe("a model of classes by quantile", () => {
  test("keeps its edges, made of the labelled part alone, and tells the same classes wherever it is opened", async () => {
    const device = await sharedDevice();
    const { model, card, progress } = await trained("quantile", data, { classesBy: "quantile" });
    model.dispose();
    const { classEdges } = card.options;
    expect(classEdges).toEqual(
      quantileEdges(
        data.labelled.map(({ mos }) => 1 + (99 * mos) / 100),
        3,
      ),
    );
    const [result] = progress.classes!;
    const truth = (mos: number) => classOfMos(mos, card.range, 3, classEdges);
    expect(result!.evaluation.classes.map(({ n }) => n)).toEqual(
      [0, 1, 2].map((c) => data.test.filter(({ mos }) => truth(mos) === c).length),
    );
    for (const row of progress.predictions) expect(row.trueClass).toBe(truth(row.mos!));
    expect(card.history.join()).toContain("quantiles of the labelled pictures");
    await using scorer = await openScorer({ device, model: join(folder, "quantile", "model.safetensors") });
    expect(scorer.card.options).toMatchObject({ classesBy: "quantile", classEdges });
    for (const { path, class: told, score, ...row } of progress.predictions) {
      const again = await scorer.score(path);
      expect(again.class).toBe(told!);
      expect(again.score).toBeCloseTo(score, 3);
      expect(again.score).toBeCloseTo(middles(classEdges, again.histogram!), 4);
      expect(row.mos).toBeDefined();
    }
  });

  test("goes on with the classes that it has, on other pictures", async () => {
    const from = join(folder, "quantile", "model.safetensors");
    const other = { ...data, labelled: data.labelled.slice(2) };
    const { model, card } = await trained("further", other, { classesBy: "quantile" }, { from });
    model.dispose();
    expect(card.options.classEdges).toEqual(
      quantileEdges(
        data.labelled.map(({ mos }) => 1 + (99 * mos) / 100),
        3,
      ),
    );
    await expect(trained("other", data, { classesBy: "width" }, { from })).rejects.toThrow("has `classesBy` quantile");
    await expect(trained("other", data, { classEdges: [30, 60] }, { from })).rejects.toThrow("has `classesBy`");
  });

  test("of scores that are alike is refused before training", async () => {
    const alike = { ...data, labelled: data.labelled.map((row) => ({ ...row, mos: 50 })) };
    await expect(trained("alike", alike, { classesBy: "quantile" })).rejects.toThrow("with 1 different scores");
  });
});

/** Expectation over the middles of classes, on [0, 100]. */
function middles(edges: readonly number[], shares: readonly number[]): number {
  const ends = [1, ...edges, 100].map((end) => ((end - 1) * 100) / 99);
  return shares.reduce((sum, share, c) => sum + (share * (ends[c]! + ends[c + 1]!)) / 2, 0);
}

describe("classes by histogram", () => {
  const graded = (rows: TrainingData["test"], count = 3) =>
    rows.map((row, i) => ({ ...row, histogram: Array.from({ length: count }, (_, c) => (c === i % count ? 5 : 2)) }));
  const all = (count = 3) => ({
    ...data,
    labelled: graded(data.labelled, count),
    test: graded(data.test, count),
    validation: [],
  });

  test("are those that most gave, of equal ones the lowest, whatever the MOS", async () => {
    const classes = { head: "classes", levels: 3, classEdges: [] as number[] } as const;
    const cut = { range: [0, 100] as const, options: { ...classes, classesBy: "histogram" as const } };
    const of = (histogram: number[]) => classOfMos(labelMos({ mos: 99, histogram }, cut), [0, 100], 3);
    expect(
      [
        [4, 1, 1],
        [1, 4, 1],
        [1, 1, 4],
        [1, 4, 4],
      ].map(of),
    ).toEqual([0, 1, 2, 1]);
    expect(
      labelMos({ mos: 99, histogram: [4, 1, 1] }, { ...cut, options: { ...cut.options, classesBy: "width" as const } }),
    ).toBe(99);
    const { model, progress } = await trained("histogram", all(), { classesBy: "histogram" });
    model.dispose();
    const places = new Map(data.test.map(({ name }, i) => [name, i % 3]));
    for (const { name, trueClass } of progress.predictions) expect(trueClass).toBe(places.get(name)!);
    const [result] = progress.classes!;
    const most = [0, 1, 2].map((c) => data.labelled.filter((_, i) => i % 3 === c).length);
    expect(result!.mostFrequent).toBe(most.indexOf(Math.max(...most)));
  });

  test("where there is none, or of other grades, are refused before training", async () => {
    const by = { classesBy: "histogram" };
    await expect(trained("none", data, by)).rejects.toThrow(
      `\`classesBy\` histogram: of ${data.labelled[0]!.name} it is not known how often each grade was given`,
    );
    await expect(trained("none", { ...all(), test: data.test }, by)).rejects.toThrow(data.test[0]!.name);
    await expect(trained("five", all(5), by)).rejects.toThrow("was given 5 grades, `levels` is 3");
  });
});
