import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { backward, withoutGradients } from "../../../engine/autograd.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { openSafetensors } from "../../../engine/weights/safetensors.ts";
import { ViT } from "../../../models/backbones/vit.ts";
import { checkDifferences, relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";

const weights = new URL("../../../../shared/weights/", import.meta.url);
const trained = new URL("vit_tiny_patch16_224.f32.safetensors", weights).pathname;
const present = existsSync(trained);

describe.skipIf(!present)("ImageNet weights (needs ../shared/weights)", () => {
  test("reproduce the logits in double precision", async () => {
    const device = await sharedDevice();
    const net = new ViT(device, new Random(1, "test"), { size: "tiny", classes: 1000 });
    await using file = await openSafetensors(trained);
    const { lines, fresh } = await net.start(file);
    expect(lines.join()).toContain("the whole network starts from");
    expect(fresh.size).toBe(0);

    const golden = JSON.parse(readFileSync(new URL("golden_forward_f64.json", weights), "utf8")).vit_tiny;
    const reads = device.scope(() =>
      withoutGradients(() => ({
        logits: net.logits(Tensor.from(device, goldenInput(), [1, 224, 224, 3]), false).read(),
      })),
    );
    const logits = await reads.logits;
    expect(logits.length).toBe(1000);
    expect(Math.max(...logits.map((logit, i) => Math.abs(logit - golden.logits[i])))).toBeLessThan(1e-3);
    expect(logits.indexOf(Math.max(...logits))).toBe(golden.argmax);

    const other = new ViT(device, new Random(1, "test"), { size: "tiny", classes: 5 });
    expect([...(await other.start(file)).fresh]).toEqual(["head.weight", "head.bias"]);
    for (const { tensor } of [...net.tensors(""), ...other.tensors("")]) tensor.dispose();
  }, 120_000);
});

/** u8[c][y][x] = (79c + 31y + 17x + ⌊yx/13⌋) mod 256, normalised with mean and deviation 0.5. */
function goldenInput(): Float32Array {
  return Float32Array.from({ length: 224 * 224 * 3 }, (_, i) => {
    const c = i % 3;
    const x = Math.floor(i / 3) % 224;
    const y = Math.floor(i / 3 / 224);
    return ((79 * c + 31 * y + 17 * x + Math.floor((y * x) / 13)) % 256) / 127.5 - 1;
  });
}

describe("a small one", () => {
  const options = { size: { width: 16, depth: 2, heads: 2 }, pixels: 12, patch: 4, classes: 3 };

  test("gives every parameter a gradient, in a picture of another size too", async () => {
    const device = await sharedDevice();
    const net = new ViT(device, new Random(1, "test"), options);
    const picture = { shape: [2, 8, 20, 3], seed: 1 };
    await checkDifferences(device, [picture], ([x]) => net.logits(x!, true));
    device.scope(() => {
      backward(sum(net.logits(Tensor.zeros(device, picture.shape), true)));
    });
    for (const { name, tensor } of net.tensors("")) {
      const gradient = await tensor.gradient?.read();
      expect(gradient?.every(Number.isFinite), name).toBe(true);
    }
    for (const { tensor } of net.tensors("")) tensor.dispose();
  });

  test("gives a picture the same features alone and in a batch", async () => {
    const device = await sharedDevice();
    const net = new ViT(device, new Random(1, "test"), options);
    const data = Float32Array.from({ length: 2 * 12 * 12 * 3 }, (_, i) => Math.sin(0.37 * i));
    const reads = device.scope(() =>
      withoutGradients(() => ({
        both: net.forward(Tensor.from(device, data, [2, 12, 12, 3])).read(),
        second: net.forward(Tensor.from(device, data.slice(data.length / 2), [1, 12, 12, 3])).read(),
        tokens: net.tokens(Tensor.from(device, data, [2, 12, 12, 3])).shape,
      })),
    );
    expect(reads.tokens).toEqual([2, 10, 16]);
    expect(relativeError(await reads.second, (await reads.both).slice(16))).toBeLessThan(1e-5);
    for (const { tensor } of net.tensors("")) tensor.dispose();
  });

  test("says what does not fit", async () => {
    const device = await sharedDevice();
    const net = new ViT(device, new Random(1, "test"), { ...options, classes: undefined });
    device.scope(() => {
      expect(() => net.forward(Tensor.zeros(device, [1, 12, 10, 3]))).toThrow("multiples of 4, found [1,12,10,3]");
      expect(() => net.logits(Tensor.zeros(device, [1, 12, 12, 3]), false)).toThrow("no head");
    });
    expect(() => new ViT(device, new Random(1), { ...options, pixels: 13 })).toThrow("13 pixels");
    expect(() => new ViT(device, new Random(1), { ...options, size: { width: 16, depth: 1, heads: 3 } })).toThrow(
      "3 heads",
    );
    for (const { tensor } of net.tensors("")) tensor.dispose();
  });
});
