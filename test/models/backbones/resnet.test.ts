import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutGradients } from "../../../engine/autograd.ts";
import { fileShape, loadTensors, storable } from "../../../engine/nn/named.ts";
import { globalAveragePool } from "../../../engine/ops/pool.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { openSafetensors, writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { ResNet } from "../../../models/backbones/resnet.ts";
import { relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";

const weights = new URL("../../../../shared/weights/", import.meta.url);
const folded = new URL("resnet18_imagenet_bnfolded_partial.f32.safetensors", weights).pathname;
const present = existsSync(folded);

describe.skipIf(!present)("ImageNet stages 1-3 (needs ../shared/weights)", () => {
  test("reproduce the double-precision forward pass", async () => {
    const device = await sharedDevice();
    const net = new ResNet(device, new Random(1, "test"));
    await using file = await openSafetensors(folded);
    const { lines, fresh } = await net.start(file);
    expect(lines.join("; ")).toContain("stage 3 start from");
    expect(lines.join("; ")).toContain("stage 4 start fresh");
    expect([...fresh].every((name) => name.startsWith("layer4."))).toBe(true);
    expect(net.tensors("").filter(({ role, name }) => role === "parameter" && name.startsWith("layer1.0.bn"))).toEqual(
      [],
    );

    const golden = JSON.parse(readFileSync(new URL("golden_forward_f64.json", weights), "utf8")).resnet18_partial;
    const reads = device.scope(() =>
      withoutGradients(() => {
        const maps = net.stages(Tensor.from(device, goldenInput(), [1, 224, 224, 3]), false);
        return { maps: maps.slice(0, 4).map((map) => map.read()), pooled: globalAveragePool(maps[3]!).read() };
      }),
    );
    const means = (await Promise.all(reads.maps)).map((map) => map.reduce((a, b) => a + b, 0) / map.length);
    const expected = [golden.stem_pool_mean, golden.layer1_mean, golden.layer2_mean, golden.layer3_mean];
    means.forEach((mean, i) => {
      expect(Math.abs(mean - expected[i])).toBeLessThan(1e-4);
    });
    expect(relativeError(await reads.pooled, golden.layer3_gap)).toBeLessThan(1e-4);
    for (const { tensor } of net.tensors("")) tensor.dispose();
  });
});

/** u8[c][y][x] = (79c + 31y + 17x + ⌊yx/13⌋) mod 256, normalised with ImageNet's mean and deviation. */
function goldenInput(): Float32Array {
  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  return Float32Array.from({ length: 224 * 224 * 3 }, (_, i) => {
    const c = i % 3;
    const x = Math.floor(i / 3) % 224;
    const y = Math.floor(i / 3 / 224);
    return (((79 * c + 31 * y + 17 * x + Math.floor((y * x) / 13)) % 256) / 255 - mean[c]!) / deviation[c]!;
  });
}

describe("weights in and out", () => {
  test("keep torchvision's names, shapes and numbers, and say what does not fit", async () => {
    const device = await sharedDevice();
    const folder = await mkdtemp(join(tmpdir(), "acutance-test-"));
    try {
      const path = join(folder, "net.safetensors");
      const net = new ResNet(device, new Random(1, "a"), { stages: 2 });
      await writeSafetensors(path, await storable(net.tensors("")));
      await using file = await openSafetensors(path);
      expect(file.tensors.get("conv1.weight")!.shape).toEqual([64, 3, 7, 7]);
      expect(file.tensors.get("layer2.0.downsample.0.weight")!.shape).toEqual([128, 64, 1, 1]);
      expect(file.tensors.has("layer2.1.bn2.running_var")).toBe(true);

      const other = new ResNet(device, new Random(2, "b"), { stages: 2 });
      const first = (network: ResNet) => network.tensors("")[0]!.tensor.read();
      expect(relativeError(await first(other), await first(net))).toBeGreaterThan(0.1);
      await loadTensors(file, other.tensors(""));
      expect(await first(other)).toEqual(await first(net));

      const [stem] = other.tensors("");
      const wrong = { ...stem!, name: "layer1.0.conv1.weight" };
      expect(fileShape(wrong)).toEqual([64, 3, 7, 7]);
      await expect(loadTensors(file, [wrong])).rejects.toThrow(
        'tensor "layer1.0.conv1.weight" is [64, 64, 3, 3], this model expects [64, 3, 7, 7]',
      );
      await expect(loadTensors(file, [{ ...stem!, name: "absent" }])).rejects.toThrow(
        "lacks 1 tensor(s) of this model: absent",
      );
      for (const { tensor } of [...net.tensors(""), ...other.tensors("")]) tensor.dispose();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
