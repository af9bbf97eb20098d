import { join } from "../../../engine/nn/named.ts";
import { mae, srcc } from "../../metrics/index.ts";
import type { QualityNetwork } from "../../networks/model.ts";
import type { PhaseContext, PhaseRun } from "../../training/method.ts";
import { TrainingError } from "../../training/training.ts";
import { features } from "../../views/predict.ts";
import { kernelRidge, mostLabelled } from "../parts/kernel-regression.ts";
import { type ElasticNetOptions, elasticNet } from "./elastic-net.ts";
import { foldCount, linearData } from "./linear-data.ts";
import { ridgeByFolds } from "./ridge-by-folds.ts";

export interface FitOptions extends ElasticNetOptions {
  readonly regression: "ridge" | "elastic-net";
  readonly ridge: number;
}

/** The layer that options ask for, what it gives pictures that it did not learn, and how it was chosen in words. */
export function regressed(numbers: Float32Array, d: number, y: readonly number[], options: FitOptions) {
  const { regression, ridge: asked } = options;
  const count = `${y.length} labelled pictures left out`;
  if (regression === "elastic-net") {
    const { alpha, l1Ratio, used, ...found } = elasticNet(linearData(numbers, d, y), options);
    const words = `elastic net, alpha ${alpha.toPrecision(3)}, l1 ratio ${l1Ratio}, ${used} of ${d} features; ${count} in ${foldCount} folds`;
    return { ...found, words };
  }
  if (y.length > mostLabelled) {
    const { ridge, ...found } = ridgeByFolds(linearData(numbers, d, y), asked);
    return { ...found, words: `ridge ${ridge}; ${count} in ${foldCount} folds` };
  }
  const { ridge, leftOut, layer } = kernelRidge(numbers, d, y, { kernel: "linear", width: 0, ridge: asked });
  return { leftOut, layer: layer!, words: `ridge ${ridge}; ${count} one by one` };
}

/** Solves for the last layer of a network: score = constant + Σ weights · feature, as a share of the scale. */
export function fitted(options: FitOptions, context: PhaseContext): PhaseRun {
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
      const { words, leftOut, layer } = regressed(numbers, model.featureLength, y, options);
      writeLayer(model, layer);
      const scale = range[1] - range[0];
      const line = `${words}: SRCC ${srcc(leftOut, y).toFixed(3)}, MAE ${(scale * mae(leftOut, y)).toFixed(2)} on [${range}]`;
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
