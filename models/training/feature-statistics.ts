import type { QualityNetwork } from "../networks/model.ts";
import type { Inputs } from "../views/inputs.ts";
import { features } from "../views/predict.ts";
import { type RatedRow, TrainingError } from "./training.ts";

/**
 * Normalises the feature of a model from now on by mean and variance of every entry over labelled pictures: the
 * option `featureNorm` `fixed`.
 * @throws TrainingError when fewer than 2 of them can be read
 */
export async function fixStatistics(
  model: QualityNetwork,
  labelled: readonly RatedRow[],
  inputs: Inputs,
): Promise<void> {
  const found = await features(model, labelled, inputs, () => {}, "feature");
  const values = await found.features.read();
  found.features.dispose();
  const rows = found.rows.length;
  if (rows < 2) throw new TrainingError("fewer than 2 labelled pictures can be read");
  const columns = values.length / rows;
  const mean = new Float64Array(columns);
  const variance = new Float64Array(columns);
  values.forEach((value, i) => {
    mean[i % columns]! += value / rows;
  });
  values.forEach((value, i) => {
    variance[i % columns]! += (value - mean[i % columns]!) ** 2 / rows;
  });
  model.setStatistics(Float32Array.from(mean), Float32Array.from(variance));
}
