import { expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import { nameTensors } from "../../../engine/nn/named.ts";
import { mean } from "../../../engine/ops/reduce.ts";
import { square } from "../../../engine/ops/unary.ts";
import { profile } from "../../../engine/profile/profiler.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import type { Backbone } from "../../../models/backbones/backbone.ts";
import { createBackbone } from "../../../models/backbones/index.ts";
import { ViT } from "../../../models/backbones/vit.ts";
import { sharedDevice } from "../../engine/device.ts";

const device = await sharedDevice();

/** Kernels of a forward and a backward pass of pictures of 64 x 64. */
async function kernelsOf(network: Backbone, pool: "standard" | "statistics" = "standard") {
  nameTensors(network.tensors(""));
  const pictures = Float32Array.from({ length: 2 * 64 * 64 * 3 }, (_, i) => Math.sin(i));
  const work = async () => {
    device.scope(() => {
      const x = Tensor.from(device, pictures, [2, 64, 64, 3]);
      backward(mean(square(network.pool(network.through(x, true), pool))));
    });
    await device.finish();
  };
  const { profile: found } = await profile(device, work, { roofs: null });
  for (const { tensor } of network.tensors("")) tensor.dispose();
  return found.kernels;
}

const small = { size: { width: 24, depth: 3, heads: 3 }, pixels: 32, patch: 8 } as const;

for (const name of ["resnet18", "resnet50", "mobilenet_v2", "vgg16", "vgg16_bn"] as const) {
  test(`every dispatch of ${name} has a layer, forward and backward`, async () => {
    const network = createBackbone(name, device, new Random(1, name), {});
    const kernels = await kernelsOf(network, "statistics");
    expect(kernels.filter(({ layer, phase }) => layer === "" && phase !== "other")).toEqual([]);
    expect(new Set(kernels.map(({ phase }) => phase))).toEqual(new Set(["forward", "backward"]));
  }, 60_000);
}

test("every dispatch of a ViT has a layer, and both additions of a block its path", async () => {
  const kernels = await kernelsOf(new ViT(device, new Random(1, "vit"), small), "statistics");
  expect(kernels.filter(({ layer }) => layer === "")).toEqual([]);
  const additions = kernels.filter(({ op, kernel }) => op === "add" && kernel === "elementwise/binary");
  const ofBlocks = additions.filter(({ layer }) => layer.startsWith("blocks."));
  expect(ofBlocks.map(({ layer, calls }) => [layer, calls])).toEqual([
    ["blocks.0", 2],
    ["blocks.1", 2],
    ["blocks.2", 2],
  ]);
  const gelus = kernels.filter(({ op, phase }) => op === "gelu" && phase === "forward");
  expect(gelus.map(({ layer }) => layer)).toEqual([0, 1, 2].map((i) => `after blocks.${i}.mlp.fc1`));
});
