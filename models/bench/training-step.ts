import { withoutGradients } from "../../engine/autograd.ts";
import { type Benchmark, type BenchResult, noise, time } from "../../engine/bench.ts";
import type { Device } from "../../engine/device/device.ts";
import { OutOfMemoryError } from "../../engine/device/errors.ts";
import { largestFit } from "../../engine/memory/largest-fit.ts";
import { formatBytes } from "../../engine/memory/report.ts";
import { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { ViT } from "../backbones/vit.ts";
import { cplOptions } from "../methods/cpl/options.ts";
import { type BatchLabels, labelTask } from "../methods/parts/label-loss.ts";
import { QualityNetwork } from "../networks/model.ts";
import type { LoadedBatch, PlannedPicture } from "../training/batches.ts";
import { Stepper } from "../training/stepper.ts";
import { PictureInputs } from "../views/inputs.ts";

/** A picture of a batch that was never loaded. */
const planned: PlannedPicture = {
  path: "",
  name: "",
  index: 0,
  part: "labelled",
  window: { top: 0, left: 0, flip: false },
};

function oneHotLabels(size: number, levels: number): BatchLabels {
  const targets = new Float32Array(size * levels);
  for (let i = 0; i < size; i++) targets[i * levels + (i % levels)] = 1;
  return { targets, weights: new Float32Array(size).fill(1), margins: new Float32Array(0), labelled: size };
}

/** One training step of CPL-IQA with ResNet-18: forward, loss, backward, Adam. */
export function trainingStepBenchmark(batch: number, side: number): Benchmark {
  const name = `ResNet-18 training step, ${batch} pictures at ${side}`;
  return {
    name,
    async measure(device, runs) {
      device.memory.drain();
      device.memory.resetPeak();
      const options = cplOptions({ crop: side, resize: side });
      const model = new QualityNetwork(device, options);
      const task = labelTask(options, ({ length }) => oneHotLabels(length, options.levels));
      const stepper = new Stepper(model, new PictureInputs(model, 2), { options, fresh: [] }, { task });
      const batchOf = (size: number, picture: Tensor): [pictures: LoadedBatch["pictures"], rateFactor: number] => [
        Array.from({ length: size }, () => ({ planned, tensor: picture })),
        1,
      ];
      using picture = device.owned("pictures", () => noise(device, [1, side, side, 3]));
      try {
        expectFit(device, batch, (size) => {
          const [pictures] = batchOf(size, picture);
          stepper.rehearse(pictures, 2);
        });
        const step = batchOf(batch, picture);
        // The first is recorded, the second traced; what is measured are replays.
        for (let i = 0; i < 2; i++) await stepper.step(...step);
        const result = await time(device, name, runs, undefined, () => stepper.step(...step));
        const memory = device.memoryReport();
        return { ...result, memory, note: `${(result.medianMs / batch).toFixed(0)} ms a picture` };
      } finally {
        stepper.dispose();
        model.dispose();
      }
    },
  };
}

/** ViT-Tiny on 8 pictures of 224 pixels, without its head. */
export const vitBenchmark: Benchmark = {
  name: "ViT-Tiny forward, 8 pictures at 224",
  async measure(device, runs) {
    const [images, tokens, width, patch] = [8, 197, 192, 3 * 16 * 16];
    const model = new ViT(device, new Random(1, "ViT"));
    const pictures = noise(device, [images, 224, 224, 3]);
    // Names, for profiles.
    const parameters = model.tensors("").map(({ name, tensor }) => Object.assign(tensor, { name }));
    // Weights of a block: qkv, projection, and the two of the MLP; scores and their sums over the tokens.
    const block = 2 * tokens * 12 * width ** 2 + 4 * tokens ** 2 * width;
    const flops = images * (2 * (tokens - 1) * patch * width + 12 * block);
    const numbers = parameters.reduce((sum, { size }) => sum + size, pictures.size + images * width);
    const cost = { flops, bytes: 4 * numbers };
    const result = await time(device, this.name, runs, cost, () => withoutGradients(() => model.forward(pictures)));
    for (const tensor of [...parameters, pictures]) tensor.dispose();
    return { ...result, note: `${(result.medianMs / images).toFixed(1)} ms a picture` };
  },
};

/** What the host does for a replayed training step: small pictures, since its work does not depend on their size. */
export const replayBenchmark: Benchmark = {
  name: "host time of a replayed ResNet-18 training step",
  async measure(device, runs) {
    const options = cplOptions({ crop: 32, resize: 32 });
    const model = new QualityNetwork(device, options);
    const task = labelTask(options, ({ length }) => oneHotLabels(length, options.levels));
    const stepper = new Stepper(model, new PictureInputs(model, 2), { options, fresh: [] }, { task });
    using picture = device.owned("pictures", () => noise(device, [1, 32, 32, 3]));
    try {
      for (let i = 0; i < 3; i++)
        await stepper.step(
          [0, 1].map(() => ({ planned, tensor: picture })),
          1,
        );
      const { plan } = stepper;
      if (!plan) throw new Error("no step was traced: numbers are being checked; measure without");
      const times: number[] = [];
      for (let i = 0; i < 8 * runs; i++) {
        await device.finish();
        const start = performance.now();
        stepper.optimiser.advance();
        plan.replay();
        times.push(performance.now() - start);
      }
      return { name: this.name, ...spread(times), note: `${plan.dispatches} dispatches` };
    } finally {
      stepper.dispose();
      model.dispose();
    }
  },
};

function spread(times: readonly number[]): Pick<BenchResult, "medianMs" | "leastMs" | "mostMs"> {
  const sorted = times.toSorted((a, b) => a - b);
  return { medianMs: sorted[Math.floor(sorted.length / 2)]!, leastMs: sorted[0]!, mostMs: sorted.at(-1)! };
}

/** @throws OutOfMemoryError naming the largest batch whose step fits the device */
function expectFit(device: Device, batch: number, step: (size: number) => void): void {
  const largest = largestFit(device, 2, batch, step);
  if (largest === batch) return;
  const allowed = device.memoryBudgetBytes;
  throw new OutOfMemoryError(
    `a training step with ${batch} pictures does not fit the device memory${allowed ? ` (${formatBytes(allowed)} may be used)` : ""}`,
    0,
    largest > 0 ? `the largest batch that fits is ${largest}: --batch ${largest}` : "use smaller pictures: --size",
  );
}
