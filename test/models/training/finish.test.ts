import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  evaluate,
  fixMatch,
  runRecord,
  startTraining,
  supervised,
  type TrainingData,
  trainCpl,
  writeRun,
} from "../../../models/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small } from "./pictures.ts";

let folder = "";
let data: TrainingData;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-finish-"));
  data = divided(await blurredPictures(join(folder, "pictures"), 20));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a library user has record, report and models of a training, as the command line leaves them", async () => {
  const out = join(folder, "cpl");
  const options = { ...small, stageOneEpochs: 1, stageTwoEpochs: 1 };
  const result = await trainCpl(await sharedDevice(), data, options, { folder: out, command: "a program" });
  const record = runRecord(result, "Mine");
  result.model.dispose();
  expect(record).toMatchObject({ title: "Mine", command: "a program", run: result.card.run!, range: [0, 100] });
  expect(record.parts).toEqual({ labelled: 8, unlabelled: 8, test: 4 });
  expect(record.results.map(({ name }) => name)).toEqual(["stage 1", "stage 2", "constant predictor"]);
  const mean = data.labelled.reduce((sum, { mos }) => sum + mos, 0) / data.labelled.length;
  const truth = data.test.map(({ mos }) => mos);
  const floor = evaluate(
    truth.map(() => mean),
    truth,
  );
  expect(record.results.at(-1)!.evaluation.rmse).toBe(floor.rmse);
  expect(record.peakDeviceBytes).toBeGreaterThan(1e5);
  expect(record.peakDeviceOwners!.length).toBeGreaterThan(1);
  expect(await writeRun(out, record)).toBe(join(out, "report.html"));
  expect(JSON.parse(await readFile(join(out, "run.json"), "utf8"))).toEqual(JSON.parse(JSON.stringify(record)));
  expect((await readdir(out)).sort()).toEqual(
    ["checkpoint.safetensors", "model.safetensors", "report.html", "run.json", "stage1.safetensors"].sort(),
  );
  const page = await readFile(join(out, "report.html"), "utf8");
  expect(page).toMatch(/Stage 2 (beats|does not beat) stage 1 in test SRCC/);
  expect(page).toContain("Loss of stage 2: each of");
  expect(page).toContain("pseudo-labels are weighed");
});

test("the report of a method of one phase calls it by its name", async () => {
  const out = join(folder, "supervised");
  const { stageOneBatch: batch, labelledBatch: _, unlabelledBatch: __, neighbours: ___, ...network } = small;
  const result = await startTraining(
    supervised,
    await sharedDevice(),
    data,
    { ...network, batch, epochs: 1 },
    { folder: out },
  );
  const record = runRecord(result, "Mine");
  result.model.dispose();
  const page = await readFile(await writeRun(out, record), "utf8");
  expect(page).toMatch(/Supervised reaches (a test SRCC of -?[\d.]+|an undefined test SRCC) on 4 pictures\./);
  expect(page).toContain("Loss of supervised: each of");
  expect(page).toContain("Supervised: 4 pictures");
  expect(page).not.toMatch(/stage [12]|training training/);
});

test("figures of a method's steps are in record and report", async () => {
  const out = join(folder, "fixmatch");
  const { stageOneBatch: _, neighbours: __, levels: ___, ...network } = small;
  const device = await sharedDevice();
  const options = { ...network, epochs: 2, threshold: 0.2 };
  const result = await startTraining(fixMatch, device, data, options, { folder: out });
  const record = runRecord(result, "Mine");
  result.model.dispose();
  expect(record.losses.length).toBeGreaterThan(1);
  const page = await readFile(await writeRun(out, record), "utf8");
  expect(page).toContain("Loss of FixMatch: each of");
  expect(page).toContain(`Share of pseudo-labels taken, FixMatch: each of ${record.losses.length} steps`);
  expect(page).toContain("FixMatch reaches");
});

test("classes of the test part are in record and report, beside always answering one of them", async () => {
  const out = join(folder, "classes");
  const {
    stageOneBatch: batch,
    labelledBatch: _,
    unlabelledBatch: __,
    neighbours: ___,
    levels: ____,
    ...network
  } = small;
  const options = { ...network, batch, epochs: 2, head: "classes", loss: "cross-entropy" } as const;
  const result = await startTraining(supervised, await sharedDevice(), data, options, { folder: out });
  const record = runRecord(result, "Mine");
  result.model.dispose();
  const [found, ...others] = record.classes!;
  expect(others).toEqual([]);
  const truth = record.predictions.map(({ mos }) => Math.max(0, Math.ceil(mos! / 20) - 1));
  const errors = record.predictions.map((row, i) => Math.abs(row.class! - truth[i]!));
  expect(found!.evaluation.mae).toBeCloseTo(errors.reduce((a, b) => a + b) / errors.length, 12);
  expect(found!.evaluation.classes.map(({ n }) => n)).toEqual(
    [0, 1, 2, 3, 4].map((c) => truth.filter((own) => own === c).length),
  );
  expect(found!.constants.map((constant) => constant.class)).toEqual([0, 1, 2, 3, 4]);
  expect(found!.mostFrequent).toBeNumber();
  const page = await readFile(await writeRun(out, record), "utf8");
  expect(page).toContain("Classes of the test part</h2>");
  expect(page).toMatch(/Supervised (beats every constant predictor|does not beat always answering class \d)/);
});
