import { describe, expect, test } from "bun:test";
import { fromFileOrder } from "../../../engine/nn/named.ts";
import { WeightsError } from "../../../engine/weights/stored.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import { sharedDevice } from "../../engine/device.ts";

const archives = new URL("../../golden/pytorch/", import.meta.url).pathname;

describe("start weights from PyTorch", () => {
  test("a checkpoint with the first layers: they start from it, the rest stays fresh, and the lines say both", async () => {
    const model = new QualityNetwork(await sharedDevice(), cplOptions({ stages: 1, embedding: 8, levels: 5 }));
    const { lines, fresh } = await model.start(`${archives}resnet-stem.pth`);
    const log = lines.join("; ");
    expect(log).toContain('the tensors under "state_dict" are used');
    expect(log).toContain('"module." is removed from all names');
    expect(log).toContain("the stem start from");
    expect(log).toContain("stage 1 start fresh");
    expect([...fresh].every((name) => name.startsWith("layer1."))).toBe(true);

    const [weight, , shift] = model.tensors();
    const pattern = Float32Array.from({ length: 64 * 3 * 7 * 7 }, (_, i) => i % 16);
    expect(await weight!.tensor.read()).toEqual(fromFileOrder(pattern, weight!));
    expect([...(await shift!.tensor.read())]).toEqual(Array.from({ length: 64 }, (_, i) => i));
    model.dispose();
  });

  test("files without a backbone, and files that would run code", async () => {
    const model = new QualityNetwork(await sharedDevice(), cplOptions({ stages: 1, embedding: 8, levels: 5 }));
    const starting = (name: string) => model.start(archives + name);
    await expect(starting("zip.pth")).rejects.toThrow(
      "no part of a ResNet-18 with torchvision's names is complete in it",
    );
    await expect(starting("bad-code-zip.pth")).rejects.toThrow("class posix.system is not known");
    await expect(starting("bad-code-zip.pth")).rejects.toThrow(WeightsError);
    model.dispose();
  });
});
