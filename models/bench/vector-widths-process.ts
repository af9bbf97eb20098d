// The process that measureVectorWidths() starts: milliseconds of some work on the adapter, printed as one line of JSON.
import { openDevice } from "../../engine/device/open.ts";
import { gelu } from "../../engine/ops/activations.ts";
import { selfAttention } from "../../engine/ops/attention.ts";
import { contractWeight, type WeightContraction } from "../../engine/ops/contraction/contract-weight.ts";
import { conv2d, conv2dInputGradient } from "../../engine/ops/contraction/conv.ts";
import { matmul } from "../../engine/ops/contraction/matmul.ts";
import { layerNorm } from "../../engine/ops/layer-norm.ts";
import { Random } from "../../engine/random.ts";
import { sizeOf, Tensor } from "../../engine/tensor.ts";

const runs = 9;
const device = await openDevice();
const random = new Random(1, "vector widths");
const noise = (shape: number[]) =>
  Tensor.from(
    device,
    Float32Array.from({ length: sizeOf(shape) }, () => random.uniform() - 0.5),
    shape,
  );

// A layer of ResNet-18 with its gradients, and a block of ViT-Tiny.
const shape = [2, 28, 28, 128];
const [picture, kernel] = [noise(shape), noise([3, 3, 128, 128])];
const [tokens, expand, scale] = [noise([394, 192]), noise([192, 768]), noise([192])];
const heads = noise([2, 197, 3, 3, 64]);
const layer: WeightContraction = {
  ...{ images: 2, input: [28, 28], output: [28, 28], channels: 128, columns: 128 },
  ...{ kernel: [3, 3], stride: [1, 1], padding: [1, 1] },
};

const work = () =>
  device.scope(() => {
    conv2d(picture, kernel, { padding: 1 });
    conv2dInputGradient(picture, kernel, shape, { padding: 1 });
    contractWeight(picture, picture, layer);
    gelu(matmul(layerNorm(tokens, scale, scale), expand));
    selfAttention(heads);
  });

const times: number[] = [];
for (let run = 0; run <= runs; run++) {
  const start = performance.now();
  work();
  await device.finish();
  // The first compiles.
  if (run > 0) times.push(performance.now() - start);
}
process.stdout.write(`${JSON.stringify({ milliseconds: Math.min(...times) })}\n`);
device.close();
