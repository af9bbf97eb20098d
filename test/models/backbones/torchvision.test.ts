import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { backward, withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { toFileOrder } from "../../../engine/nn/named.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { type Backbone, MobileNetV2, ResNet, Vgg16 } from "../../../models/backbones/index.ts";
import { formula, relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";
import { fill, noise } from "../noise.ts";

interface Golden {
  readonly name: string;
  readonly side: number;
  readonly training: boolean;
  readonly stages: { shape: number[]; mean: number; rms: number }[];
  /** Every 37th. */
  readonly features: number[];
  readonly logits: number[];
  /** Length, and product with the noise called "direction". */
  readonly gradients?: Record<string, { norm: number; along: number }>;
  readonly running?: Record<string, number[]>;
}

const cases: Golden[] = JSON.parse(readFileSync(new URL("../../golden/backbones.json", import.meta.url), "utf8"));
const classes = 10;

const makers: Record<string, (device: Device) => ResNet | MobileNetV2 | Vgg16> = {
  resnet18: (device) => new ResNet(device, undefined, { depth: 18, classes }),
  resnet50: (device) => new ResNet(device, undefined, { depth: 50, classes }),
  resnet101: (device) => new ResNet(device, undefined, { depth: 101, classes }),
  mobilenet_v2: (device) => new MobileNetV2(device, undefined, { classes }),
  vgg16: (device) => new Vgg16(device, undefined, { classes, hidden: 16 }),
  vgg16_bn: (device) => new Vgg16(device, undefined, { classes, hidden: 16, batchNorm: true }),
};

function pictures(device: Device, side: number): Tensor {
  const values = noise("pictures", 2 * side * side * 3);
  return Tensor.from(
    device,
    Float32Array.from(values, (v) => 2 * v),
    [2, side, side, 3],
  );
}

const tolerance = 1e-4;
/**
 * Of gradients. Where an activation is so near 0, or two so near each other in a maximum, that rounding decides which way
 * the slope goes, it decides otherwise in single precision; one such place turns a gradient by some 0.3 %, in PyTorch too; its length changes less.
 */
const slopeTolerance = 1e-3;

async function checkStages(maps: readonly { shape: readonly number[]; read: Promise<Float32Array> }[], golden: Golden) {
  expect(maps.map(({ shape }) => shape)).toEqual(golden.stages.map(({ shape }) => shape));
  for (const [i, { read }] of maps.entries()) {
    const map = await read;
    const { mean, rms } = golden.stages[i]!;
    expect(Math.abs(map.reduce((a, b) => a + b, 0) / map.length - mean)).toBeLessThan(tolerance * rms);
    expect(Math.abs(Math.sqrt(map.reduce((a, b) => a + b * b, 0) / map.length) - rms)).toBeLessThan(tolerance * rms);
  }
}

let net: Backbone | undefined;
afterEach(() => {
  net?.dispose();
  net?.tensors("").at(0)?.tensor.device.memory.drain();
  net = undefined;
});

describe("stages, features and logits of torchvision in double precision", () => {
  for (const golden of cases.filter(({ training }) => !training)) {
    test(`${golden.name} at ${golden.side}`, async () => {
      const device = await sharedDevice();
      const made = makers[golden.name]!(device);
      net = made;
      fill(made.tensors(""), golden.training);
      const reads = device.scope(() =>
        withoutGradients(() => {
          const x = pictures(device, golden.side);
          return {
            maps: made.stages(x, false).map((map) => ({ shape: map.shape, read: map.read() })),
            features: made.forward(x, false).read(),
            logits: made.logits(x, false).read(),
          };
        }),
      );
      await checkStages(reads.maps, golden);
      const features = (await reads.features).filter((_, i) => i % 37 === 0);
      expect(relativeError(features, golden.features)).toBeLessThan(tolerance);
      expect(relativeError(await reads.logits, golden.logits)).toBeLessThan(tolerance);
    });
  }
});

describe("a step of training as torchvision takes it in double precision", () => {
  for (const golden of cases.filter(({ training }) => training)) {
    test(`${golden.name} at ${golden.side}`, async () => {
      const device = await sharedDevice();
      const made = makers[golden.name]!(device);
      net = made;
      fill(made.tensors(""), golden.training);
      const named = new Map(made.tensors("").map((tensor) => [tensor.name, tensor]));
      const reads = device.scope(() => {
        const logits = made.logits(pictures(device, golden.side), true);
        const weights = Tensor.from(device, formula({ shape: [...logits.shape], seed: 99 }), logits.shape);
        backward(sum(multiply(logits, weights)));
        return {
          logits: logits.read(),
          gradients: Object.keys(golden.gradients!).map((name) => named.get(name)!.tensor.gradient!.read()),
          running: Object.keys(golden.running!).map((name) => named.get(name)!.tensor.read()),
        };
      });
      expect(relativeError(await reads.logits, golden.logits)).toBeLessThan(tolerance);
      for (const [i, [name, { norm, along }]] of Object.entries(golden.gradients!).entries()) {
        const gradient = toFileOrder(await reads.gradients[i]!, named.get(name)!);
        const length = Math.sqrt(gradient.reduce((total, g) => total + g * g, 0));
        const direction = noise("direction", gradient.length);
        const found = gradient.reduce((total, g, k) => total + g * direction[k]!, 0);
        expect(Math.abs(length - norm), name).toBeLessThan(slopeTolerance * norm);
        expect(Math.abs(found - along), name).toBeLessThan(10 * slopeTolerance * norm);
      }
      for (const [i, [name, values]] of Object.entries(golden.running!).entries()) {
        const found = (await reads.running[i]!).slice(0, values.length);
        expect(relativeError(found, values), name).toBeLessThan(tolerance);
      }
    });
  }
});
