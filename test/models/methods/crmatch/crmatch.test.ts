import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { openSafetensors } from "../../../../engine/weights/safetensors.ts";
import { type CrMatchOptionsInput, crMatch } from "../../../../models/methods/crmatch/index.ts";
import { cosine, distance, told } from "../../../../models/methods/crmatch/loss.ts";
import { fixMatch } from "../../../../models/methods/fixmatch/index.ts";
import { taken } from "../../../../models/methods/parts/consistency.ts";
import { openModel, QualityNetwork, saveModel } from "../../../../models/networks/model.ts";
import { loadBatches, planEpoch } from "../../../../models/training/batches.ts";
import type { Method, PhaseContext } from "../../../../models/training/method.ts";
import { Stepper, type StepReport } from "../../../../models/training/stepper.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { checkpointFile, type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { PictureInputs } from "../../../../models/views/inputs.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";
import { stoppedAfter } from "../../training/stopped-after.ts";

const { stageOneBatch: _s, neighbours: _n, levels: _v, ...network } = small;
const common = { ...network, epochs: 1, labelledBatch: 4, unlabelledBatch: 3, threshold: 0.23, rate: 1e-3 };
const options: CrMatchOptionsInput = { ...common, rotationBatch: 2 };

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-crmatch-"));
  data = divided(await blurredPictures(at("pictures"), 30));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(name: string, more: CrMatchOptionsInput = {}, hooks = {}, start = {}, given = data) {
  const own = { folder: at(name), ...hooks };
  const result = await startTraining(crMatch, await sharedDevice(), given, { ...options, ...more }, own, start);
  result.model.dispose();
  return result;
}

const model = (name: string) => join(at(name), "model.safetensors");

async function tensorsIn(path: string): Promise<Map<string, Uint8Array>> {
  await using file = await openSafetensors(path);
  const read = async (name: string) => [name, (await file.read(name)).bytes] as const;
  return new Map(await Promise.all([...file.tensors.keys()].map(read)));
}

test("the heads learn, and are in the checkpoint, not in the model", async () => {
  await expect(train("heads", {}, stoppedAfter(2))).rejects.toThrow(TrainingInterrupted);
  const heads = [...(await tensorsIn(join(at("heads"), checkpointFile))).keys()].filter((name) => /crmatch/.test(name));
  // Weight, bias and two moments of each for three layers.
  expect(heads.length).toBe(18);
  const device = await sharedDevice();
  const { progress, ...resumed } = await resumeTraining(crMatch, device, { folder: at("heads") });
  resumed.model.dispose();
  for (const { figures } of progress.losses) expect(figures).toContainKeys([taken, cosine, distance, told]);
  const fresh = new QualityNetwork(device, crMatch.options(options));
  const own = fresh.tensors().map(({ name }) => name);
  fresh.dispose();
  expect([...(await tensorsIn(model("heads"))).keys()].sort()).toEqual(own.sort());
  const opened = await openModel(device, model("heads"));
  expect(opened.notes).toEqual([]);
  opened.model.dispose();
});

test("without its two tasks it is FixMatch, to the bit", async () => {
  await train("bare", { featDistWeight: 0, rotationBatch: 0 });
  const plain = await startTraining(fixMatch as Method<never>, await sharedDevice(), data, common as never, {
    folder: at("fixmatch"),
  });
  plain.model.dispose();
  expect(Math.max(...plain.progress.losses.map(({ figures }) => figures![taken]!))).toBeGreaterThan(0);
  const wanted = await tensorsIn(model("fixmatch"));
  expect(await tensorsIn(model("bare"))).toEqual(wanted);
  await train("distance", { rotationBatch: 0 });
  expect(await tensorsIn(model("distance"))).not.toEqual(wanted);
});

test("micro-batches train like the whole batch, and say the same figures", async () => {
  const device = await sharedDevice();
  const run = async (microBatch: number) => {
    const given = crMatch.options({ ...options, optimiser: "sgd", microBatch });
    const [phase] = crMatch.phases(given);
    const network = new QualityNetwork(device, given);
    network.freezeNorms(network.backbone.norms().map(([name]) => name));
    const inputs = new PictureInputs(network, 24, undefined, { strong: { set: "quality", kept: 0 }, turned: true });
    const labels = Float32Array.from({ length: 5 * data.labelled.length }, (_, i) => (i % 6 === 0 ? 1 : 0));
    const task = phase!.begin({ labels, model: network } as PhaseContext);
    const stepper = new Stepper(network, inputs, { options: given, fresh: [] }, { task, views: phase!.views });
    const reports: StepReport[] = [];
    const batches = planEpoch({ ...phase!, stage: 1 }, 0, data, given);
    for await (const { pictures } of loadBatches(batches, inputs, phase!.views))
      reports.push(await stepper.step(pictures, 1));
    stepper.dispose();
    task.dispose!();
    inputs.dispose();
    network.dispose();
    return reports.flatMap(({ loss, figures }) => [
      loss,
      ...[taken, cosine, distance, told].map((name) => figures![name]!),
    ]);
  };
  const whole = await run(0);
  expect(whole.length).toBe(20);
  for (const size of [4, 7]) expect(relativeError(await run(size), whole)).toBeLessThan(1e-5);
  await expect(train("odd", { microBatch: 3 })).rejects.toThrow(
    "`microBatch` 3 would part the views of a picture; give at least 4",
  );
});

test("with frozen sections turned views are kept, and training ends with the same bits after a stop", async () => {
  const device = await sharedDevice();
  const given = crMatch.options(options);
  const start = new QualityNetwork(device, given);
  await saveModel(at("start.safetensors"), start, { options: given, range: data.range, history: [], fresh: [] });
  start.dispose();
  const frozen = { frozen: 1, strongViews: 2, views: 2 };
  const from = { from: at("start.safetensors") };
  const features = { featureFolder: at("features") };
  const { progress } = await train("frozen", frozen, features, from);
  expect(progress.losses.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  const [own] = await readdir(features.featureFolder);
  const rows = await readdir(join(features.featureFolder, own!));
  const of = (word: string) => rows.filter((row) => row.includes(word)).length;
  expect([of("-turned-"), of("-quality-upright-"), of("-quality-")]).toEqual([3 * 12, 2 * 12, 2 * 12]);
  const stopped = train("frozen-stopped", frozen, { ...features, ...stoppedAfter(2) }, from);
  await expect(stopped).rejects.toThrow(TrainingInterrupted);
  (await resumeTraining(crMatch, device, { folder: at("frozen-stopped"), ...features })).model.dispose();
  expect(await readFile(model("frozen-stopped"))).toEqual(await readFile(model("frozen")));
});

test("turns are learnt where there is an up and a down", async () => {
  await mkdir(at("skies"));
  const make = async (i: number) => {
    // Bright above, dark below, in stripes of another width each.
    const pixels = Uint8Array.from(
      { length: 40 * 40 * 3 },
      (_, k) => 250 - 5 * Math.floor(k / 120) - ((k * (i + 3)) % 13),
    );
    const path = join(at("skies"), `${i}.png`);
    await sharp(pixels, { raw: { width: 40, height: 40, channels: 3 } })
      .png()
      .toFile(path);
    return { name: `${i}.png`, path, mos: 3 * i };
  };
  const skies = divided(await Promise.all(Array.from({ length: 30 }, (_, i) => make(i))));
  const learn = { epochs: 3, rotationBatch: 6, threshold: 1, freshRate: 1e-2, rate: 1e-2, layerDecay: 1 };
  const { progress } = await train("skies", learn, {}, {}, skies);
  const shares = progress.losses.map(({ figures }) => figures![told]!);
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
  expect(shares[0]!).toBeLessThan(0.6);
  expect(mean(shares.slice(-4))).toBeGreaterThan(0.9);
});

test("fewer unlabelled pictures than turns are told of are refused, before anything is opened", async () => {
  await expect(train("few", { rotationBatch: 13 })).rejects.toThrow(
    "12 unlabelled pictures are fewer than one batch, `rotationBatch` 13; give more pictures or a smaller batch",
  );
  await expect(train("part", { rotationBatch: -1 })).rejects.toThrow("`rotationBatch` -1");
  await expect(train("grad", { featDistGrad: "weak" } as never)).rejects.toThrow("`featDistGrad`");
  await expect(train("weight", { featDistWeight: -1 })).rejects.toThrow("`featDistWeight` -1");
});
