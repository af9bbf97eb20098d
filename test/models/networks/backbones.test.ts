import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backward, withoutGradients } from "../../../engine/autograd.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { openModel, QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { formula } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";

const small = { crop: 32, resize: 32, embedding: 8, levels: 5 };
const shape = [2, 32, 32, 3];
const pictures = formula({ shape, seed: 1, scale: 0.5, shift: 0.5 });

for (const backbone of ["mobilenet_v2", "vit_tiny_patch16_224"] as const) {
  test(`CPL-IQA trains ${backbone}, which opens again as it was saved`, async () => {
    const device = await sharedDevice();
    const folder = await mkdtemp(join(tmpdir(), "acutance-test-"));
    const options = cplOptions({ ...small, backbone });
    const model = new QualityNetwork(device, options);
    try {
      const reads = device.scope(() => {
        backward(sum(model.forward(Tensor.from(device, pictures, shape), true).logits));
        const parameters = model.tensors().filter(({ role }) => role === "parameter");
        return { gradients: parameters.map(({ name, tensor }) => ({ name, read: tensor.gradient?.read() })) };
      });
      for (const { name, read } of reads.gradients) {
        const gradient = await read;
        expect(gradient?.every(Number.isFinite), name).toBe(true);
      }
      const depths = model.tensors().map(({ name }) => model.depthOf(name));
      expect(depths).toEqual(depths.toSorted((a, b) => a - b));
      expect(depths.at(-1)).toBe(model.backbone.layers);

      const logits = (of: QualityNetwork) =>
        device.scope(() =>
          withoutGradients(() => ({ read: of.forward(Tensor.from(device, pictures, shape), false).logits.read() })),
        ).read;
      const path = join(folder, "model.safetensors");
      await saveModel(path, model, { options, range: [0, 100], history: [], fresh: [] });
      const opened = await openModel(device, path);
      expect(await logits(opened.model)).toEqual(await logits(model));
      opened.model.dispose();
    } finally {
      model.dispose();
      await rm(folder, { recursive: true });
    }
  });
}

test("options say which backbones and sizes go together", () => {
  expect(() => cplOptions({ backbone: "resnet19" as "resnet18" })).toThrow("backbone");
  expect(() => cplOptions({ backbone: "vgg16", stages: 3 })).toThrow("`stages` 3: only ResNets can be cut");
  expect(() => cplOptions({ backbone: "vit_tiny_patch16_224", crop: 40 })).toThrow("`crop` 40");
  expect(cplOptions({ backbone: "resnet50", stages: 3 }).backbone).toBe("resnet50");
});
