import { backward } from "../engine/autograd.ts";
import { type Benchmark, noise, time } from "../engine/bench.ts";
import type { Device } from "../engine/device/device.ts";
import { OutOfMemoryError } from "../engine/device/errors.ts";
import { largestFit } from "../engine/memory/largest-fit.ts";
import { formatBytes } from "../engine/memory/report.ts";
import { Optimiser } from "../engine/optim/optimiser.ts";
import { Tensor } from "../engine/tensor.ts";
import { batchLoss } from "./cpl/loss.ts";
import { CplModel } from "./cpl/model.ts";
import { cplOptions } from "./cpl/options.ts";

/** One training step of CPL-IQA with ResNet-18: forward, loss, backward, Adam. */
export function trainingStepBenchmark(batch: number, side: number): Benchmark {
  const name = `ResNet-18 training step, ${batch} pictures at ${side}`;
  return {
    name,
    async measure(device, runs) {
      device.memory.drain();
      device.memory.resetPeak();
      const options = cplOptions({ crop: side, resize: side });
      const model = new CplModel(device, options);
      const parameters = model.tensors().filter(({ role }) => role === "parameter");
      const optimiser = new Optimiser([{ parameters, rate: 1e-4, decay: 0 }], { kind: "adam" });
      const step = (pictures: Tensor) => {
        const size = pictures.shape[0]!;
        const targets = new Float32Array(size * options.levels);
        for (let i = 0; i < size; i++) targets[i * options.levels + (i % options.levels)] = 1;
        const labels = { targets, weights: new Float32Array(size).fill(1), labelled: size };
        backward(batchLoss(model.forward(pictures, true).logits, labels, options));
        optimiser.step();
        optimiser.clearGradients();
      };
      try {
        expectFit(device, batch, (size) => {
          const pictures = device.owned("pictures", () => Tensor.empty(device, [size, side, side, 3]));
          for (let i = 0; i < 2; i++) device.scope(() => step(pictures));
        });
        const pictures = device.owned("pictures", () => noise(device, [batch, side, side, 3]));
        const result = await time(device, name, runs, 0, () => step(pictures));
        const memory = device.memoryReport();
        pictures.dispose();
        return { ...result, memory, note: `${(result.medianMs / batch).toFixed(0)} ms a picture` };
      } finally {
        optimiser.dispose();
        model.dispose();
      }
    },
  };
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
