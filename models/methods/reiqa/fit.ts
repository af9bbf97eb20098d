import { join } from "../../../engine/nn/named.ts";
import { mae, srcc } from "../../metrics/index.ts";
import type { QualityNetwork } from "../../networks/model.ts";
import type { PhaseContext, PhaseRun } from "../../training/method.ts";
import { TrainingError } from "../../training/training.ts";
import { features } from "../../views/predict.ts";
import { kernelRidge } from "../parts/kernel-regression.ts";

/** Solves for the last layer of a network: score = constant + Σ weights · feature, as a share of the scale. */
export function fitted({ ridge: asked }: { readonly ridge: number }, context: PhaseContext): PhaseRun {
  const { model, inputs, data, labels, hooks, progress, range } = context;
  return {
    targets: () => ({}),
    loss() {
      throw new Error("the layer is solved for, and learns by no steps");
    },
    async solve() {
      const { labelled } = data;
      const bar = hooks.progress?.("features", labelled.length);
      let shown = 0;
      const advance = (done: number) => {
        bar?.advance(done - shown);
        shown = done;
      };
      const found = await features(model, labelled, inputs, advance, "feature").finally(() => bar?.stop());
      const readable = new Set(found.rows);
      const y = labelled.flatMap((row, i) => (readable.has(row) ? [labels[i]!] : []));
      const numbers = await found.features.read();
      found.features.dispose();
      if (y.length < 2)
        throw new TrainingError(
          `${y.length} of ${labelled.length} labelled pictures can be read; at least 2 are needed`,
        );
      if (!numbers.every(Number.isFinite))
        throw new TrainingError("the encoders give features that are not finite; begin with other weights");
      const { ridge, leftOut, layer } = kernelRidge(numbers, model.featureLength, y, {
        ...{ kernel: "linear", width: 0, ridge: asked },
      });
      writeLayer(model, layer!);
      const scale = range[1] - range[0];
      const line = `ridge ${ridge}; ${y.length} labelled pictures left out one by one: SRCC ${srcc(leftOut, y).toFixed(3)}, MAE ${(scale * mae(leftOut, y)).toFixed(2)} on [${range}]`;
      progress.notes = [...(progress.notes ?? []), line];
      hooks.log?.(line);
    },
  };
}

/** @throws Error when the network has no last layer for one number */
function writeLayer(model: QualityNetwork, layer: { readonly weights: Float64Array; readonly constant: number }): void {
  const named = new Map(model.tensors().map(({ name, tensor }) => [name, tensor]));
  const of = (name: string) => {
    const tensor = named.get(join("head.logits", name));
    if (!tensor) throw new Error(`the network ${model.options.network} has no tensor "head.logits.${name}"`);
    return tensor;
  };
  // [d, 1] is as [d].
  of("weight").write(Float32Array.from(layer.weights));
  of("bias").write(Float32Array.of(layer.constant));
}
