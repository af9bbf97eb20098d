import { expect, test } from "bun:test";
import { Tensor } from "../../../../engine/tensor.ts";
import { cplOptions } from "../../../../models/methods/cpl/options.ts";
import { refreshPseudoLabels } from "../../../../models/methods/cpl/pseudo-labels.ts";
import { converted, expectations } from "../../../../models/methods/cpl/vectors.ts";
import { kernelRidge } from "../../../../models/methods/parts/kernel-regression.ts";
import { srcc } from "../../../../models/metrics/index.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { noise } from "../../noise.ts";

const device = await sharedDevice();
const [n, unlabelled, width, levels] = [40, 60, 6, 100];

/** Scores by one entry alone, among others of larger scale that tell nothing of them. */
function pictures() {
  const points = Float32Array.from(
    noise("points", (n + unlabelled) * width),
    (value, i) => value * (i % width ? 30 : 1),
  );
  const scores = Array.from({ length: n + unlabelled }, (_, i) => 50 + 40 * points[i * width]!);
  return { points, scores };
}

async function step(more: object) {
  const { points, scores } = pictures();
  const options = cplOptions({ levels, labelMode: "gauss", neighbours: 5, ...more });
  const labels = converted(scores.slice(0, n), options);
  using features = Tensor.from(device, points, [n + unlabelled, width]);
  const answers = new Float32Array((n + unlabelled) * levels).fill(1 / levels);
  const found = await refreshPseudoLabels({ features, answers }, labels, options);
  const predicted = expectations(found.pseudo.targets as Float32Array<ArrayBuffer>, levels);
  return { found, options, labels, points, predicted, truth: scores.slice(n) };
}

test("scores are those of kernel ridge regression over the points, converted as labels are, and weighed by what the labels explain", async () => {
  const { found, options, labels, points } = await step({ pseudoSource: "regression" });
  const y = [...expectations(labels, levels)];
  const { predictions, explained, ridge } = kernelRidge(points, width, y, { kernel: "rbf", width: 0, ridge: 0 });
  expect([...found.pseudo.targets]).toEqual([...converted(predictions, options)]);
  expect([...found.pseudo.weights]).toEqual([...Float32Array.from(explained)]);
  expect(found.fitness).toMatchObject({ ridge, leftOut: { n } });
});

test("entries of a pooled feature count alike in the graph, whatever their scale", async () => {
  const quality = async (graphSpace: string) => {
    const { predicted, truth } = await step({ graphSpace });
    return srcc(predicted, truth);
  };
  expect(await quality("pooled")).toBeGreaterThan((await quality("embedding")) + 0.2);
});

test("confidences may be off, constant or divided by the largest", async () => {
  const weights = async (more: object) => [
    ...(await step({ pseudoSource: "regression", ...more })).found.pseudo.weights,
  ];
  const plain = await weights({});
  expect(new Set(await weights({ confidence: "off" }))).toEqual(new Set([1]));
  expect(new Set(await weights({ confidence: "constant" })).size).toBe(1);
  const largest = Math.max(...plain);
  expect(await weights({ divideByMaximum: "unlabelled" })).toEqual(plain.map((value) => Math.fround(value / largest)));
});
