import { backward } from "../engine/autograd.ts";
import { type Benchmark, noise, time } from "../engine/bench.ts";
import { Optimiser } from "../engine/optim/optimiser.ts";
import { batchLoss } from "./cpl/loss.ts";
import { CplModel } from "./cpl/model.ts";
import { cplOptions } from "./cpl/options.ts";

/** One training step of CPL-IQA with ResNet-18: forward, loss, backward, Adam. */
export function trainingStepBenchmark(batch: number, side: number): Benchmark {
  const name = `ResNet-18 training step, ${batch} pictures at ${side}`;
  return {
    name,
    async measure(device, runs) {
      const options = cplOptions({ crop: side, resize: side });
      const model = new CplModel(device, options);
      const parameters = model.tensors().filter(({ role }) => role === "parameter");
      const optimiser = new Optimiser([{ parameters, rate: 1e-4, decay: 0 }], { kind: "adam" });
      const pictures = noise(device, [batch, side, side, 3]);
      const targets = new Float32Array(batch * options.levels);
      for (let i = 0; i < batch; i++) targets[i * options.levels + i] = 1;
      const labels = { targets, weights: new Float32Array(batch).fill(1), labelled: batch };
      const result = await time(device, name, runs, undefined, () => {
        backward(batchLoss(model.forward(pictures, true).logits, labels, options));
        optimiser.step();
        optimiser.clearGradients();
      });
      pictures.dispose();
      optimiser.dispose();
      model.dispose();
      return { ...result, note: `${(result.medianMs / batch).toFixed(0)} ms a picture` };
    },
  };
}
