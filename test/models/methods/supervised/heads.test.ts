import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { supervised } from "../../../../models/methods/supervised/index.ts";
import type { HeadName } from "../../../../models/networks/heads.ts";
import { trainingReport } from "../../../../models/report/training/training-report.ts";
import { openScorer, type PictureScore } from "../../../../models/scoring/scorer.ts";
import { answerSchema, modelsSchema, openService } from "../../../../models/service/index.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import {
  type RatedRow,
  type TrainingData,
  TrainingInterrupted,
  type TrainingResult,
} from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { get, post } from "../../service/requests.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";

const { stageOneBatch: batch, labelledBatch: _l, unlabelledBatch: _u, neighbours: _k, levels: _m, ...network } = small;
const options = { ...network, batch, epochs: 16 };
const main = new URL("../../../../cli/main.ts", import.meta.url).pathname;
const device = await sharedDevice();

let folder = "";
let rows: RatedRow[] = [];
let data: TrainingData;
const at = (name: string) => join(folder, name);
const modelOf = (head: HeadName) => at(`${head}/model.safetensors`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-heads-"));
  rows = await blurredPictures(at("pictures"), 40);
  data = divided(rows);
  const csv = rows.map(({ name, mos }) => `${name},${mos}`).join("\n");
  await writeFile(at("scores.csv"), `name,mos\n${csv}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(head: HeadName, more: object = {}, hooks: object = {}): Promise<TrainingResult> {
  const result = await startTraining(
    supervised,
    device,
    data,
    { ...options, head, ...more },
    { folder: at(head), ...hooks },
  );
  result.model.dispose();
  return result;
}

/** Runs the command in the folder. */
async function acutance(...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [main, ...words], { cwd: folder, env: { ...process.env, NO_COLOR: "1" } });
  const [out, err, code] = await Promise.all([
    Array.fromAsync(child.stdout as AsyncIterable<Buffer>),
    Array.fromAsync(child.stderr as AsyncIterable<Buffer>),
    new Promise<number | null>((resolve) => child.on("exit", resolve)),
  ]);
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}

/** The numbers that a score has with each head. */
const numbers = {
  score: ["score"],
  classes: ["score", "standardDeviation", "confidence", "class", "classProbability"],
} as const;

const fields = ["score", "standardDeviation", "confidence", "class", "classProbability", "histogram"] as const;
const named = (row: object) => fields.filter((name) => name in row);

describe.each(["score", "classes"] as const)("a network with the head %s", (head) => {
  let result: TrainingResult;
  const known: PictureScore[] = [];
  const paths = () => data.test.map(({ path }) => path);

  beforeAll(async () => {
    result = await train(head);
    await using scorer = await openScorer({ model: modelOf(head), device, name: head });
    for await (const scored of scorer.scoreMany(paths())) known.push(scored as unknown as PictureScore);
  });

  test("learns: the test part is in the order of its blur, and has the numbers that the head gives", () => {
    const { losses, results, predictions, reliability, distributions } = result.progress;
    const mean = (part: typeof losses) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(losses.slice(-4))).toBeLessThan(mean(losses.slice(0, 4)));
    expect(results[0]!.evaluation.srcc).toBeGreaterThan(0.8);
    for (const row of predictions) {
      expect(named(row)).toEqual([...numbers[head]]);
      expect("shareBelow" in row).toBe(head === "classes");
    }
    expect(reliability!.map(({ n }) => n)).toEqual(head === "classes" ? [data.test.length] : []);
    expect(distributions).toEqual([]);
  });

  test("is saved and opened: a scorer gives the scores of the training's test", async () => {
    const tested = new Map(result.progress.predictions.map((row) => [row.path, row]));
    expect(known.map((row) => named(row))).toEqual(
      known.map(() => [...numbers[head], ...(head === "classes" ? (["histogram"] as const) : [])]),
    );
    for (const [i, path] of paths().entries()) {
      for (const name of numbers[head]) expect(known[i]![name]!).toBeCloseTo(tested.get(path)![name]!, 4);
    }
    if (head === "score") return;
    for (const { histogram, class: best, classProbability, score, range } of known) {
      expect(histogram).toHaveLength(5);
      expect(histogram!.indexOf(classProbability!)).toBe(best!);
      const middles = histogram!.reduce((sum, share, c) => sum + share * (20 * c + 10), 0);
      expect(score).toBeCloseTo(middles, 4);
      expect(range).toEqual([0, 100]);
    }
  });

  test("scores with tiles by their mean, and explains", async () => {
    await using tiled = await openScorer({ model: modelOf(head), device, tiles: 4 });
    const picture = await sharp(data.test[0]!.path)
      .extract({ left: 0, top: 0, width: 40, height: 32 })
      .png()
      .toBuffer();
    const parts = [0, 8].map((left) =>
      sharp(picture).extract({ left, top: 0, width: 32, height: 32 }).png().toBuffer(),
    );
    await using whole = await openScorer({ model: modelOf(head), device, tiles: 1 });
    const scores = await Promise.all(parts.map(async (part) => (await whole.score(await part)).score));
    expect((await tiled.score(picture)).score).toBeCloseTo((scores[0]! + scores[1]!) / 2, 4);
    const map = await tiled.explain(picture);
    expect(map.scores.flat().every(Number.isFinite)).toBe(true);
  });

  test("serves: answers leave out what the head does not give, and say what it is", async () => {
    await using service = await openService({ models: [{ model: modelOf(head), device, name: head }] });
    const bytes = new Uint8Array(await readFile(paths()[0]!));
    const answer = await (await service.fetch(post("/v1/score", bytes))).json();
    const [row] = answerSchema.parse(answer).pictures;
    expect(named(row!)).toEqual(named(known[0]!));
    expect("score" in row! && row.score).toBe(known[0]!.score);
    const { models } = modelsSchema.parse(await (await service.fetch(get("/v1/models"))).json());
    expect(models[0]).toMatchObject(head === "classes" ? { head, levels: 5 } : { head });
    expect("levels" in models[0]!).toBe(head === "classes");
  });

  test("is scored and evaluated on the command line", async () => {
    const model = ["--model", modelOf(head)];
    const [one] = paths().map((path) => join("pictures", basename(path)));
    const json = await acutance("score", ...model, one!, "nowhere.png", "--json");
    const [row, failed] = JSON.parse(json.out).pictures;
    expect([Object.keys(row), Object.keys(failed)]).toEqual([
      ["path", ...numbers[head]],
      ["path", "error"],
    ]);
    expect(row.score).toBeCloseTo(known[0]!.score, 4);
    const csv = parse((await acutance("score", ...model, one!, "--csv")).out, { columns: true }) as Record<
      string,
      string
    >[];
    const others = head === "classes" ? ["class", "classProbability"] : [];
    expect(Object.keys(csv[0]!)).toEqual([
      ...["path", "score", "low", "high", "standardDeviation", "confidence"],
      ...others,
      "reasons",
      "error",
    ]);
    expect(csv[0]!["standardDeviation"] === "").toBe(head === "score");
    expect(csv[0]!["class"]).toBe(head === "classes" ? String(known[0]!.class) : undefined!);
    const table = await acutance("score", ...model, one!);
    expect(table.out).not.toMatch(/undefined|NaN/);
    expect(table.out.includes("of the class")).toBe(head === "classes");

    const given = ["--data", "pictures", "--csv", "scores.csv", "--range", "0:100", "--predictions", "out.csv"];
    const evaluated = await acutance("evaluate", ...model, ...given, "--json");
    expect(JSON.parse(evaluated.out)).toMatchObject({ n: rows.length, range: [0, 100] });
    const [first] = parse(await readFile(at("out.csv")), { columns: true }) as Record<string, string>[];
    expect(Object.keys(first!)).toEqual(["name", "mos", "score", "standardDeviation", "confidence", ...others]);
  });

  test("its report has no figure of a spread that it does not give", async () => {
    const { card, progress } = result;
    const about = { title: "A run", command: "", date: new Date(0).toISOString(), range: [0, 100] as [number, number] };
    const hardware = { runtime: "a runtime", adapter: "an adapter", cores: 1, platform: "here" };
    const parts = { labelled: 1, unlabelled: 0, test: 1 };
    const record = { ...about, hardware, parts, options: card.options, ...progress, peakDeviceBytes: 1 };
    const html = await trainingReport(JSON.parse(JSON.stringify(record)));
    expect(html).not.toMatch(/NaN|undefined/);
    const spread = ["Reliability of the predicted spread", "± is one predicted standard deviation"];
    for (const words of spread) expect(html.includes(words)).toBe(head === "classes");
  });
});

test("other losses and ranked pairs train each head, and a training that was stopped ends with the same bits", async () => {
  const copies = (level: number) => data.unlabelled.slice(4 * level, 4 * level + 4);
  const ranked = copies(0).map((row, i) => ({
    source: row.name,
    pictures: [row, copies(2)[i]!].map((picture, j) => ({ ...picture, level: 3 * j })),
  }));
  for (const [head, loss] of [
    ["score", "l2"],
    ["classes", "emd"],
    ["distribution", "l1"],
  ] as const) {
    const more = { loss, epochs: 2, rankPairs: 4, microBatch: 4 };
    const trained = (name: string, hooks: object = {}) =>
      startTraining(
        supervised,
        device,
        { ...data, ranked },
        { ...options, head, ...more },
        { folder: at(name), ...hooks },
      );
    const whole = await trained(`${head}-whole`);
    whole.model.dispose();
    expect(whole.progress.losses.every((step) => Number.isFinite(step.loss))).toBe(true);
    const stop = new AbortController();
    const tune = async () => stop.abort();
    const stopped = await trained(`${head}-stopped`, { signal: stop.signal, tune }).then(String, (reason) => reason);
    expect(stopped).toBeInstanceOf(TrainingInterrupted);
    (await resumeTraining(supervised, device, { folder: at(`${head}-stopped`) })).model.dispose();
    const [one, two] = await Promise.all(
      ["whole", "stopped"].map((name) => readFile(at(`${head}-${name}/model.safetensors`))),
    );
    expect(two).toEqual(one!);
  }
});

test("training goes on from a model with the same head alone", async () => {
  await train("score", { epochs: 1 }, { folder: at("start") });
  const start = { from: at("start/model.safetensors") };
  const going = (head: HeadName) =>
    startTraining(supervised, device, data, { ...options, head, epochs: 1 }, { folder: at("on") }, start);
  await expect(going("classes")).rejects.toThrow("has `head` score, the options ask for classes");
  (await going("score")).model.dispose();
});
