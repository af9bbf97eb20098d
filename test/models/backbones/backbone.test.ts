import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutGradients } from "../../../engine/autograd.ts";
import { storable } from "../../../engine/nn/named.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { openSafetensors, type TensorToStore, writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { type Backbone, backboneNames, createBackbone, MobileNetV2 } from "../../../models/backbones/index.ts";
import { formula, relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";

describe("createBackbone", () => {
  test("says which names and options there are", async () => {
    const device = await sharedDevice();
    expect(() => createBackbone("resnet19", device, undefined)).toThrow(
      `there is no backbone "resnet19"; known are ${backboneNames.join(", ")}`,
    );
    expect(() => createBackbone("toString", device, undefined)).toThrow("no backbone");
    expect(() => createBackbone("vgg16", device, undefined, { stages: 2 })).toThrow("vgg16 has no option `stages`");
    expect(() => createBackbone("resnet18", device, undefined, { pixels: 64 })).toThrow("no option `pixels`");
    expect(() => createBackbone("resnet18", device, undefined, { stages: 5 })).toThrow("1 to 4 stages, got 5");
  });

  test("makes networks of the published sizes, every parameter at its depth", async () => {
    const device = await sharedDevice();
    // Millions of parameters with a head of 1000 classes, as torchvision and timm state them; depths without the head.
    const expected: Partial<
      Record<(typeof backboneNames)[number], [millions: number, features: number, depths: number]>
    > = {
      resnet18: [11.69, 512, 9],
      resnet34: [21.8, 512, 17],
      resnet50: [25.56, 2048, 17],
      mobilenet_v2: [3.5, 1280, 19],
      vit_tiny_patch16_224: [5.72, 192, 14],
    };
    for (const [name, [millions, features, depths]] of Object.entries(expected)) {
      const net = createBackbone(name, device, undefined, { classes: 1000 });
      const parameters = net.tensors("").filter(({ role }) => role === "parameter");
      const size = parameters.reduce((total, { tensor }) => total + tensor.size, 0);
      expect(Math.abs(size / 1e6 - millions), name).toBeLessThan(0.006);
      expect(net.features).toBe(features);
      expect(net.layers).toBe(depths);
      const found = parameters.map(({ name }) => net.depthOf(name));
      expect(found).toEqual(found.toSorted((a, b) => a - b));
      expect(new Set(found).size).toBe(depths + 1);
      expect(found.at(-1)).toBe(net.layers);
      net.dispose();
    }
    device.memory.drain();
  });

  test("depths are those of timm's layer decay", async () => {
    const device = await sharedDevice();
    const net = createBackbone("resnet18", device, undefined);
    expect(net.depthOf("bn1.running_mean")).toBe(0);
    expect(net.depthOf("layer1.0.conv1.weight")).toBe(1);
    expect(net.depthOf("layer2.0.downsample.1.bias")).toBe(3);
    expect(net.depthOf("layer4.1.bn2.weight")).toBe(8);
    expect(() => net.depthOf("fc.weight")).toThrow('no tensor "fc.weight"');
    expect(() => net.logits(Tensor.zeros(device, [1, 32, 32, 3]), false)).toThrow("no head");
    net.dispose();
  });
});

describe("weights of a MobileNetV2", () => {
  let folder: string;
  let net: MobileNetV2;
  let stored: TensorToStore[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-test-"));
    net = new MobileNetV2(await sharedDevice(), new Random(1, "weights"), { classes: 3 });
    for (const [i, { name, tensor }] of net.tensors("").entries()) {
      if (!/running|\.bias$/.test(name)) continue;
      tensor.write(formula({ shape: [tensor.size], seed: i, scale: 0.2, shift: name.endsWith("var") ? 1 : 0 }));
    }
    stored = await storable(net.tensors(""));
  });
  afterAll(async () => {
    net.dispose();
    await rm(folder, { recursive: true });
  });

  const started = async (tensors: TensorToStore[], classes?: number) => {
    const path = join(folder, "net.safetensors");
    await writeSafetensors(path, tensors);
    await using file = await openSafetensors(path);
    const other = new MobileNetV2(await sharedDevice(), undefined, { classes });
    try {
      return { net: other, report: await other.start(file) };
    } catch (error) {
      other.dispose();
      throw error;
    }
  };
  const features = async (network: Backbone) => {
    const device = await sharedDevice();
    const read = device.scope(() => {
      const x = Tensor.from(device, formula({ shape: [1, 32, 64, 3], seed: 5 }), [1, 32, 64, 3]);
      return { read: withoutGradients(() => network.forward(x, false).read()) };
    });
    return read.read;
  };

  test("start another, with the head where it has as many classes", async () => {
    const whole = await started(stored, 3);
    expect(whole.report.lines.join("; ")).toMatch(/^the whole network starts from \S+net.safetensors$/);
    expect(whole.report.fresh.size).toBe(0);
    expect([...(await features(whole.net))]).toEqual([...(await features(net))]);
    whole.net.dispose();
    const headless = await started(stored, 4);
    expect([...headless.report.fresh]).toEqual(["classifier.1.weight", "classifier.1.bias"]);
    expect(headless.report.lines.at(-1)).toContain("none for as many classes");
    headless.net.dispose();
  });

  test("with the norms folded into the convolutions give the same features, and frozen norms", async () => {
    const of = new Map(stored.map((tensor) => [tensor.name, tensor.data as Float32Array]));
    const folded = stored.flatMap((tensor): TensorToStore[] => {
      if (tensor.shape.length !== 4) return [];
      const prefix = tensor.name.slice(0, -".weight".length);
      // The norm follows its convolution: features.0.0 → features.0.1, conv.2 → conv.3.
      const norm = prefix.replace(/\d+$/, (digit) => String(Number(digit) + 1));
      const [scale, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(
        (name) => of.get(`${norm}.${name}`)!,
      ) as [Float32Array, Float32Array, Float32Array, Float32Array];
      const factors = scale.map((s, i) => s / Math.sqrt(variance[i]! + 1e-5));
      const data = tensor.data as Float32Array;
      const each = data.length / factors.length;
      return [
        { ...tensor, data: data.map((w, i) => w * factors[Math.floor(i / each)]!) as Float32Array<ArrayBuffer> },
        {
          name: `${prefix}.bias`,
          dtype: "F32",
          shape: [factors.length],
          data: shift.map((s, i) => s - mean[i]! * factors[i]!) as Float32Array<ArrayBuffer>,
        },
      ];
    });
    const { net: other, report } = await started(folded);
    expect(report.lines.join()).toContain("batch norm folded in and frozen");
    expect(other.norms().length).toBe(52);
    expect(other.norms().every(([, norm]) => norm.frozen)).toBe(true);
    expect(relativeError(await features(other), await features(net))).toBeLessThan(1e-4);
    other.dispose();
  });

  test("leave a stage of which one is missing fresh, and refuse a file of which nothing fits", async () => {
    const { net: other, report } = await started(
      stored.filter(({ name }) => name !== "features.4.conv.1.0.weight"),
      3,
    );
    expect(report.lines.join("; ")).toContain("stage 3 start fresh");
    expect([...report.fresh].every((name) => /^features\.[456]\./.test(name))).toBe(true);
    expect(report.fresh.has("features.6.conv.3.bias")).toBe(true);
    other.dispose();
    await expect(started(stored.filter(({ name }) => name.startsWith("classifier")))).rejects.toThrow(
      'no part of a MobileNetV2 with torchvision\'s names is complete in it; it has no "features.0.0.weight"',
    );
    const wrong = stored.map((tensor) =>
      tensor.name === "features.0.0.weight" ? { ...tensor, shape: [32, 3, 9, 1] } : tensor,
    );
    await expect(started(wrong)).rejects.toThrow("[32, 3, 9, 1], this model expects [32, 3, 3, 3]");
  });
});
