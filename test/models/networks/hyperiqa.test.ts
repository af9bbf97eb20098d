import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backward, withoutGradients } from "../../../engine/autograd.ts";
import { fileShape, type NamedTensor } from "../../../engine/nn/named.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { type TensorToStore, writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { hyperIqa } from "../../../models/methods/index.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import type { ModelOptions } from "../../../models/networks/options.ts";
import { formula, relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";
import { noise, noiseWeights, summaryOf } from "../noise.ts";

interface Golden {
  readonly backbone: ModelOptions["backbone"];
  readonly shape: [number, number, number, number];
  readonly training: boolean;
  readonly scores: number[];
  readonly gradients?: Record<string, { norm: number; along: number }>;
}

const cases: Golden[] = JSON.parse(readFileSync(new URL("../../golden/hyperiqa.json", import.meta.url), "utf8"));
const device = await sharedDevice();
const folder = await mkdtemp(join(tmpdir(), "acutance-hyperiqa-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The name of a tensor in the authors' files. */
function authorsName(name: string): string {
  if (name.startsWith("head.lda")) return name.replace("head.", "res.");
  return name.startsWith("head.") ? name.replace("head.", "") : `res.${name}`;
}

async function written(file: string, tensors: readonly NamedTensor[], training = false, before = ""): Promise<string> {
  const stored = tensors.map((named): TensorToStore => {
    const [name, shape] = [authorsName(named.name), fileShape(named)];
    return { name: before + name, dtype: "F32", shape, data: noiseWeights(name, shape, training) };
  });
  const path = join(folder, file);
  await writeSafetensors(path, stored);
  return path;
}

function pictures(shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b);
  return Tensor.from(
    device,
    Float32Array.from(noise("pictures", size), (v) => (1 + v) / 2),
    shape,
  );
}

const made = (backbone: ModelOptions["backbone"], more: object = {}) =>
  new QualityNetwork(device, hyperIqa.options({ backbone, ...more }), "zero");

describe("scores and gradients of PyTorch in double precision", () => {
  for (const golden of cases) {
    const { backbone, shape, training } = golden;
    test(`${backbone}, [${shape}]${training ? ", a step" : ""}`, async () => {
      const model = made(backbone);
      const named = new Map(model.tensors().map((each) => [authorsName(each.name), each]));
      if (backbone === "resnet50") {
        const path = await written("whole.safetensors", model.tensors(), training, "hyperNet.");
        const { fresh, headStarted, lines } = await model.start(path, [0, 1]);
        expect([[...fresh], headStarted]).toEqual([[], true]);
        expect(lines.at(-1)).toContain("whose scores are taken as those of the range [0, 1]");
      } else {
        for (const [name, each] of named) {
          const values = noiseWeights(name, fileShape(each), training);
          const { fromFileOrder } = await import("../../../engine/nn/named.ts");
          each.tensor.write(fromFileOrder(values, each));
        }
      }
      const reads = device.scope(() => {
        const x = pictures(shape);
        if (!training) return { scores: withoutGradients(() => model.forward(x, false).logits.read()) };
        const { logits } = model.forward(x, true);
        const weights = formula({ shape: [...logits.shape], seed: 99 });
        backward(sum(multiply(logits, Tensor.from(device, weights, logits.shape))));
        return {
          scores: logits.read(),
          gradients: Object.keys(golden.gradients!).map((name) => named.get(name)!.tensor.gradient!.read()),
        };
      });
      const error = relativeError(await reads.scores, golden.scores);
      let worst = { norm: 0, along: 0, name: "" };
      for (const [i, [name, { norm, along }]] of Object.entries(golden.gradients ?? {}).entries()) {
        const found = summaryOf(await reads.gradients![i]!, named.get(name)!);
        const off = { norm: Math.abs(found.norm - norm) / norm, along: Math.abs(found.along - along) / norm, name };
        if (Math.max(off.norm, off.along) > Math.max(worst.norm, worst.along)) worst = off;
      }
      if (process.env["GOLDEN_ERRORS"]) console.log(backbone, shape.join("x"), error, worst);
      expect(error).toBeLessThan(1e-4);
      expect(worst.norm, worst.name).toBeLessThan(1e-3);
      expect(worst.along, worst.name).toBeLessThan(1e-2);
      model.dispose();
    });
  }
});

describe("start weights", () => {
  test("scores of the file become shares of the range; a network that is not the authors' refuses them", async () => {
    const model = made("resnet50");
    const path = await written("scores.safetensors", model.tensors());
    const score = async (range: [number, number]) => {
      await model.start(path, range);
      const { read } = device.scope(() => ({ read: model.forward(pictures([1, 64, 64, 3]), false).logits.read() }));
      return model.head.score(await read, range).score;
    };
    expect(Math.abs((await score([0, 1])) - (await score([-20, 80])))).toBeLessThan(1e-4);
    model.dispose();
    const fewer = made("resnet50", { stages: 3 });
    await expect(fewer.start(path, [0, 1])).rejects.toThrow("which has all stages of a ResNet-50");
    fewer.dispose();
  });
});

test.each([
  [{ backbone: "vgg16" }, "`backbone` vgg16: the `network` hyperiqa reads the maps of four stages; give a ResNet"],
  [{ pooling: "statistics" }, "`pooling` statistics: the `network` hyperiqa makes its feature in its own way"],
  [{ publishedBehaviour: true, clipNorm: 1 }, "`publishedBehaviour` renews the optimiser"],
] as const)("options that do not go together are refused: %j", (options, message) => {
  expect(() => hyperIqa.options(options as never)).toThrow(message);
});

test("rates by the epoch: as the authors mean them, and as their code has them", () => {
  const rates = (input: object, name: string) => {
    const [phase] = hyperIqa.phases(hyperIqa.options(input));
    return Array.from({ length: 16 }, (_, epoch) => phase!.rates!(name)(epoch));
  };
  const close = (found: number[], wanted: number[]) =>
    found.forEach((value, i) => {
      expect(value / wanted[i]! || 0, `epoch ${i + 1}`).toBeCloseTo(wanted[i] === 0 ? 0 : 1, 9);
    });
  const times = (count: number, value: number) => Array.from({ length: count }, () => value);
  close(rates({}, "head.fc1w_conv.weight"), [
    ...times(7, 2e-4),
    ...times(3, 2e-5),
    ...times(3, 2e-6),
    ...times(3, 2e-7),
  ]);
  expect(rates({}, "head.lda1_fc.weight")).toEqual(times(16, 2e-5));
  expect(rates({}, "layer1.0.conv1.weight")).toEqual(times(16, 2e-5));
  expect(rates({ publishedBehaviour: true }, "head.conv1.0.bias")).toEqual([2e-4, ...times(15, 0)]);
});
