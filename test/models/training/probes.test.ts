import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutGradients } from "../../../engine/autograd.ts";
import { stack } from "../../../engine/ops/pictures/image.ts";
import { WeightAverage } from "../../../engine/optim/average.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { openSafetensors, toFloat32 } from "../../../engine/weights/safetensors.ts";
import { fixMatch } from "../../../models/methods/fixmatch/index.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import type { LoadedBatch } from "../../../models/training/batches.ts";
import { Probes, probed } from "../../../models/training/probes.ts";
import { resumeTraining, startTraining } from "../../../models/training/train.ts";
import { checkpointFile, type TrainingData, TrainingInterrupted } from "../../../models/training/training.ts";
import { CtAugment } from "../../../models/views/ctaugment.ts";
import { learntRates, packedRates, proximity, startRates } from "../../../models/views/ctaugment-policy.ts";
import { PictureInputs } from "../../../models/views/inputs.ts";
import { formula, relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small } from "./pictures.ts";
import { stoppedAfter } from "./stopped-after.ts";

const { stageOneBatch: _s, neighbours: _n, levels: _v, ...network } = small;
const options = { ...network, labelledBatch: 4, unlabelledBatch: 3, strong: "ctaugment" } as const;
let folder = "";
let data: TrainingData;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-probes-"));
  data = divided(await blurredPictures(join(folder, "pictures"), 30));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("rates follow what the averaged network says of the labelled pictures of a batch, and leave the network alone", async () => {
  const device = await sharedDevice();
  const model = new QualityNetwork(device, fixMatch.options(options));
  const augment = new CtAugment();
  const inputs = new PictureInputs(model, 8, undefined, { ctAugment: augment });
  const picture = (part: "labelled" | "unlabelled", index: number, strong?: number): LoadedBatch["pictures"][0] => {
    const shape = [1, 36, 36, 3];
    const tensor = Tensor.from(device, formula({ shape, seed: index, scale: 0.5, shift: 0.5 }), shape).keep();
    const window = { top: 0, left: 0, flip: false };
    return { planned: { path: "", name: "", index, part, window, ...(strong !== undefined && { strong }) }, tensor };
  };
  // The strong view of a labelled picture is no picture of its own.
  const pictures = [
    picture("labelled", 2),
    picture("labelled", 2, 9),
    picture("labelled", 0),
    picture("unlabelled", 1),
  ];
  const labels = Float32Array.from({ length: 15 }, (_, i) => (i % 6 === 0 ? 1 : 0));
  const parameters = model.tensors().filter(({ role }) => role === "parameter");
  const average = new WeightAverage(parameters, { decay: 0.9 });
  for (const { tensor } of parameters) tensor.write(formula({ shape: [tensor.size], seed: 3, scale: 0.3 }));
  const bits = async () => Promise.all(model.tensors().map(async ({ tensor }) => [...(await tensor.read())]));
  const before = await bits();
  const probes = new Probes(augment, model, inputs, { labels, seed: 5 });
  const figures = await probes.learn(pictures, "stage 1, step 7", average);
  expect(await bits()).toEqual(before);

  const random = new Random(5, "probes, stage 1, step 7");
  const seeds = [random.integer(2 ** 32), random.integer(2 ** 32)];
  const known = [pictures[0]!, pictures[2]!];
  const answersBy = async (isAveraged: boolean) => {
    using _ = isAveraged ? average.applied() : undefined;
    const { policies, read } = device.scope(() =>
      withoutGradients(() => {
        const { views, policies } = new CtAugment().probes(stack(known.map(({ tensor }) => tensor)), {
          crop: 32,
          seeds,
        });
        return { policies, read: model.head.answers(model.forward(views, false).logits).read() };
      }),
    );
    const answers = await read;
    const near = known.map(({ planned }, i) =>
      proximity(answers.subarray(5 * i, 5 * i + 5), labels.subarray(5 * planned.index, 5 * planned.index + 5)),
    );
    return { policies, near };
  };
  const { policies, near } = await answersBy(true);
  const rates = policies.reduce((all, policy, i) => learntRates(all, policy, near[i]!, augment.settings), startRates());
  expect(relativeError(augment.packed, packedRates(rates))).toBeLessThan(1e-7);
  expect(augment.packed.filter((rate) => rate < 1).length).toBeGreaterThan(0);
  expect(figures).toEqual({ [probed]: expect.closeTo((near[0]! + near[1]!) / 2, 6) });
  // Strong views are made by what was learnt.
  const { tensor, planned } = pictures[1]!;
  const made = device.scope(() => ({
    batch: inputs.assemble([{ tensor, window: planned.window, strong: 9 }]).read(),
    view: augment.views(stack([tensor]), { crop: 32, seeds: [9] }).read(),
  }));
  expect(await made.batch).toEqual(await made.view);
  // Without the average other weights are asked.
  expect((await answersBy(false)).near).not.toEqual(near);
  // A batch without labelled pictures teaches nothing.
  const held = augment.packed;
  expect(await probes.learn([pictures[3]!], "stage 1, step 8", average)).toEqual({});
  expect(augment.packed).toEqual(held);
  for (const { tensor } of pictures) tensor.dispose();
  average.dispose();
  inputs.dispose();
  model.dispose();
});

async function train(name: string, stopAfter = 0, more: object = {}) {
  const hooks = { folder: join(folder, name), ...stoppedAfter(stopAfter) };
  const result = await startTraining(
    fixMatch as never,
    await sharedDevice(),
    data,
    { ...options, epochs: 1, ...more } as never,
    hooks,
  );
  result.model.dispose();
  return result;
}

async function ratesIn(name: string): Promise<number[] | undefined> {
  await using file = await openSafetensors(join(folder, name, checkpointFile));
  return file.tensors.has("ctaugment.rates") ? [...toFloat32(await file.read("ctaugment.rates"))] : undefined;
}

test.each([0, 0.9])(
  "a training with what views have learnt goes on from a checkpoint to the same bits, ema %f",
  async (ema) => {
    const whole = await train(`whole-${ema}`, 0, { ema });
    expect(whole.progress.losses.length).toBe(4);
    for (const { figures } of whole.progress.losses) {
      expect(figures![probed]!).toBeGreaterThan(0);
      expect(figures![probed]!).toBeLessThan(1);
    }
    const name = `stopped-${ema}`;
    await expect(train(name, 2, { ema })).rejects.toThrow(TrainingInterrupted);
    const [stopped, last] = [await ratesIn(name), await ratesIn(`whole-${ema}`)];
    expect(stopped!.some((rate) => rate < 1)).toBe(true);
    expect(stopped).not.toEqual(last);
    const hooks = { folder: join(folder, name) };
    const resumed = await resumeTraining(fixMatch as never, await sharedDevice(), hooks);
    resumed.model.dispose();
    expect(resumed.progress.losses).toEqual(whole.progress.losses);
    expect(await ratesIn(name)).toEqual(last!);
    const bytes = (of: string) => readFile(join(folder, of, "model.safetensors"));
    expect(await bytes(name)).toEqual(await bytes(`whole-${ema}`));
  },
);

test("other strong views learn nothing", async () => {
  const { progress } = await train("randaugment", 0, { strong: "randaugment" });
  expect(progress.losses.some(({ figures }) => probed in figures!)).toBe(false);
  expect(await ratesIn("randaugment")).toBeUndefined();
});

test("views that are kept, and networks without probabilities, are refused", () => {
  const refused = (input: object) => () => fixMatch.options({ strong: "ctaugment", ...input } as never);
  expect(refused({ frozen: 2 })).toThrow("`strong` ctaugment learns in every step how views are made");
  expect(refused({ strong: "randaugment", frozen: 2 })).not.toThrow();
  expect(refused({ strong: "ctaugmnt" })).toThrow("`strong`");
  expect(() => new CtAugment().restore(new Float32Array(3))).toThrow("found 3");
});
