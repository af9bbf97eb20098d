import { describe, expect, test } from "bun:test";
import { backward } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import { affinity } from "../../engine/graph/affinity.ts";
import { nearestNeighbours } from "../../engine/graph/neighbours.ts";
import { propagate } from "../../engine/graph/propagate.ts";
import { symmetricGraph } from "../../engine/graph/sparse.ts";
import { cutout } from "../../engine/ops/dropout.ts";
import { gatherRows } from "../../engine/ops/gather.ts";
import { concat, slice } from "../../engine/ops/join.ts";
import { softCrossEntropy, weightedMean } from "../../engine/ops/losses.ts";
import { arrangePacked } from "../../engine/ops/pictures/arrange.ts";
import { cropAndFlip, normalise, resize } from "../../engine/ops/pictures/image.ts";
import { changeLevels } from "../../engine/ops/pictures/levels.ts";
import { sum } from "../../engine/ops/reduce.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { topK } from "../../engine/ops/top-k.ts";
import { WeightAverage } from "../../engine/optim/average.ts";
import { Optimiser } from "../../engine/optim/optimiser.ts";
import { profile } from "../../engine/profile/profiler.ts";
import { Random } from "../../engine/random.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { Backbone } from "../../models/backbones/backbone.ts";
import { ResNet } from "../../models/backbones/resnet.ts";
import { ViT } from "../../models/backbones/vit.ts";
import { distort, distortionNames } from "../../models/data/degraded/distortions.ts";
import { ssim } from "../../models/metrics/ssim.ts";
import { strongSets, strongViews } from "../../models/views/strong.ts";
import { sharedDevice } from "../engine/device.ts";

/** Kernels without floating-point arithmetic: they move, fill, select, sort, count, draw or compute in whole numbers. */
const without = new Set([
  ...["clear", "copy", "read-back"],
  ...["conv/lines", "shape/columns", "shape/place", "shape/strided", "shape/transpose"],
  ...[
    "augment/arrange",
    "augment/change",
    "augment/rescale",
    "augment/tables",
    "distort/patches",
    "distort/pixelate",
    "distort/squares",
    "image/window",
    "random/cutout",
    "random/words",
  ],
  ...["gather/count", "gather/invert", "gather/order", "gather/rows", "row/top_k", "row/top_k_gradient"],
  ...[
    "graph/block_sums",
    "graph/fill",
    "graph/in_degree",
    "graph/labels",
    "graph/panel",
    "graph/rank",
    "graph/row_start",
  ],
]);

function pictures(device: Device, images: number, side: number): Tensor {
  const values = Float32Array.from({ length: images * side * side * 3 }, (_, i) => 0.5 + 0.5 * Math.sin(i * i));
  return Tensor.from(device, values, [images, side, side, 3]);
}

function trainingStep(device: Device, network: Backbone) {
  const parameters = network.tensors("").filter(({ role }) => role === "parameter");
  for (const { tensor } of parameters) tensor.requiresGradient = true;
  const optimiser = new Optimiser([{ parameters, rate: 0.1, decay: 0.01 }], {
    kind: "adamw",
    clipNorm: 1,
    lossScale: {},
  });
  const average = new WeightAverage(parameters, { decay: 0.9 });
  return () => {
    device.scope(() => {
      const x = normalise(pictures(device, 2, 32), [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]);
      const targets = Tensor.from(device, new Float32Array(10).fill(0.2), [2, 5]);
      const weights = Tensor.from(device, Float32Array.of(1, 0.5), [2]);
      backward(weightedMean(softCrossEntropy(network.logits(x, true), targets), weights), optimiser.seed());
    });
    optimiser.step();
    average.update();
    optimiser.clearGradients();
  };
}

async function graph(device: Device) {
  const features = Tensor.from(
    device,
    Float32Array.from({ length: 40 * 6 }, (_, i) => Math.sin(i * i)),
    [40, 6],
  );
  const neighbours = nearestNeighbours(features, { k: 3 });
  using matrix = symmetricGraph(neighbours.indices, affinity(neighbours));
  const targets = Tensor.from(device, Float32Array.of(0.5, 0.5, 0, 0, 0.5, 0.5), [2, 3]);
  await propagate(matrix, { rows: [3, 7], targets }, { gamma: 0.9 });
}

async function rest(device: Device) {
  const x = pictures(device, 1, 24);
  x.requiresGradient = true;
  device.scope(() => {
    const part = { top: 1, left: 1, height: 20, width: 20 };
    const packed = arrangePacked(x, [{ part }], 24);
    changeLevels(packed, [[{ name: "rescale", part, filter: "bicubic" }]]);
    for (const set of strongSets) strongViews(x, { set, crop: 20, seeds: [1] });
    const parts = [
      cropAndFlip(x, [{ top: 1, left: 2, flip: true }], 20, 20),
      cutout(resize(x, { height: 20, width: 20 }), [{ top: 2, left: 3, height: 4, width: 5 }]),
    ];
    const rows = reshape(slice(x, [0, 0, 0, 0], [1, 23, 24, 3]), [23 * 24, 3]);
    const two = gatherRows(rows, Tensor.from(device, Uint32Array.of(3, 1), [2]));
    backward(sum(concat(parts, 3)));
    backward(sum(topK(two, 2).values));
    ssim(x, x);
  });
  for (const name of distortionNames) await distort(x, name, 3, 1, { stretch: true });
}

describe("every kernel declares its arithmetic, or has none by its nature:", () => {
  const works: readonly (readonly [string, (device: Device) => () => unknown])[] = [
    [
      "a training step of a ResNet",
      (device) => trainingStep(device, new ResNet(device, new Random(1, "test"), { stages: 2, classes: 5 })),
    ],
    [
      "a training step of a ViT",
      (device) => {
        const size = { width: 24, depth: 1, heads: 3 };
        return trainingStep(device, new ViT(device, new Random(1, "test"), { size, pixels: 32, classes: 5 }));
      },
    ],
    ["the graph", (device) => () => graph(device)],
    ["pictures, rows and distortions", (device) => () => rest(device)],
  ];
  test.each(works)("%s", async (_, prepare) => {
    const device = await sharedDevice();
    const { profile: found } = await profile(device, prepare(device), { roofs: null });
    const silent = new Set(found.kernels.filter(({ flops }) => flops === null).map(({ kernel }) => kernel));
    expect([...silent].filter((kernel) => !without.has(kernel))).toEqual([]);
    // The list is of kernels that do have none.
    const counting = found.kernels.filter(({ kernel, flops }) => flops !== null && without.has(kernel));
    expect(counting.map(({ kernel }) => kernel)).toEqual([]);
    for (const { kernel, bytes } of found.kernels)
      expect({ kernel, moves: bytes > 0 }).toEqual({ kernel, moves: true });
  });
});
