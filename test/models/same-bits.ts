import { createHash } from "node:crypto";
import type { Device } from "../../engine/device/device.ts";
import { openDevice } from "../../engine/device/open.ts";
import { Linear } from "../../engine/nn/layers.ts";
import { cutout, cutoutWindows, dropout, stochasticDepth } from "../../engine/ops/dropout.ts";
import { softCrossEntropy, weightedMean } from "../../engine/ops/losses.ts";
import { cropAndFlip, stack } from "../../engine/ops/pictures/image.ts";
import { accumulateGradients, microBatches } from "../../engine/optim/accumulate.ts";
import { WeightAverage } from "../../engine/optim/average.ts";
import { parameterGroups } from "../../engine/optim/groups.ts";
import { Optimiser } from "../../engine/optim/optimiser.ts";
import { cosine, withWarmup } from "../../engine/optim/schedule.ts";
import { Random } from "../../engine/random.ts";
import { Tensor } from "../../engine/tensor.ts";
import { ResNet } from "../../models/backbones/resnet.ts";

const [batch, side, crop, levels, total] = [6, 40, 32, 10, 20] as const;

/**
 * Trains the first stages of a ResNet-18 for twenty steps from a seed: random crops, flips, cutout, stochastic depth and
 * dropout, AdamW with warm-up, clipping and loss scaling, micro-batches, averaged weights.
 * @returns SHA-256 of the bits of every tensor at the end, by name
 */
export async function trainedBits(device: Device, seed: number): Promise<Record<string, string>> {
  const random = new Random(seed, "weights");
  const backbone = new ResNet(device, random, { stages: 2 });
  const head = new Linear(device, random.fork("head"), { in: backbone.features, out: levels });
  const tensors = [...backbone.tensors(""), ...head.tensors("head")];
  const optimiser = new Optimiser(parameterGroups(tensors, { rate: 1e-2, decay: 0.01 }), {
    kind: "adamw",
    clipNorm: 1,
    lossScale: { interval: 5 },
  });
  const average = new WeightAverage(tensors, { decay: 0.99 });
  const schedule = withWarmup(total, { share: 0.2 }, (steps) => cosine({ steps }));
  const pixels = new Random(seed, "pictures");
  const pictures = Array.from({ length: batch }, () => {
    const data = Float32Array.from({ length: side * side * 3 }, () => pixels.uniform());
    return Tensor.from(device, data, [1, side, side, 3]).keep();
  });
  for (let step = 0; step < total; step++) {
    const draws = new Random(seed, `step ${step}`);
    const seen = device.scope(() => {
      const loss = accumulateGradients(
        device,
        microBatches(batch, 4),
        ({ start, count }) => {
          const whole = stack(pictures.slice(start, start + count));
          const windows = Array.from({ length: count }, () => ({
            top: draws.integer(side - crop + 1),
            left: draws.integer(side - crop + 1),
            flip: draws.integer(2) === 1,
          }));
          const cropped = cropAndFlip(whole, windows, crop, crop);
          const holed = cutout(cropped, cutoutWindows(draws, count, crop, crop, 8));
          const words = { seed, offset: step * 2 ** 20 + start * 2 ** 16 };
          const features = stochasticDepth(backbone.forward(holed, true), 0.1, words);
          const logits = head.forward(dropout(features, 0.3, words));
          const targets = new Float32Array(count * levels);
          for (let i = 0; i < count; i++) targets[i * levels + start + i] = 1;
          const rows = softCrossEntropy(logits, Tensor.from(device, targets, [count, levels]));
          return weightedMean(rows, Tensor.from(device, new Float32Array(count).fill(1), [count]), batch);
        },
        optimiser.seed(),
      );
      optimiser.step(schedule(step));
      optimiser.clearGradients();
      average.update();
      return { loss: loss.item() };
    });
    if (!Number.isFinite(await seen.loss)) throw new Error(`the loss is ${await seen.loss} at step ${step}`);
  }
  const all = [...tensors, ...optimiser.tensors("optimiser"), ...average.tensors("average")];
  const entries = await Promise.all(
    all.map(async ({ name, tensor }) => {
      const bits = new Uint8Array((await tensor.read()).buffer);
      return [name, createHash("sha256").update(bits).digest("hex")] as const;
    }),
  );
  for (const owner of [optimiser, average, ...pictures, ...tensors.map(({ tensor }) => tensor)]) owner.dispose();
  return Object.fromEntries(entries);
}

if (import.meta.main) {
  using device = await openDevice();
  console.log(JSON.stringify(await trainedBits(device, Number(process.argv[2]))));
}
