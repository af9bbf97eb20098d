/**
 * What an adapter reaches, in one call: do all operations pass, its roofs, matrix products (plain, f16, subgroup matrices),
 * convolutions, training steps of ResNet-18 and -50. Prints a Markdown table and writes JSON.
 *
 *     bun test/bench/hardware.ts                  some minutes on a GPU
 *     bun test/bench/hardware.ts --quick          small sizes and a handful of tests, under a minute on a software adapter
 *     bun test/bench/hardware.ts --json out.json --no-tests
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { noise, time } from "../../engine/bench.ts";
import { unitName } from "../../engine/device/matrix-units.ts";
import {
  backward,
  cast,
  conv2d,
  type Device,
  matmul,
  Optimiser,
  openDevice,
  softCrossEntropy,
  Tensor,
  weightedMean,
} from "../../engine/index.ts";
import { contractWeight } from "../../engine/ops/contraction/contract-weight.ts";
import { conv2dInputGradient } from "../../engine/ops/contraction/conv.ts";
import { Random } from "../../engine/random.ts";
import { measureRoofs } from "../../engine/tune/roofs.ts";
import { createBackbone } from "../../models/backbones/index.ts";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    tests: { type: "boolean", default: true },
    json: { type: "string", default: "hardware.json" },
    batch: { type: "string" },
  },
  allowNegative: true,
});

interface Line {
  readonly what: string;
  readonly milliseconds?: number;
  readonly gflops?: number;
  readonly note?: string;
}

const lines: Line[] = [];
const runs = flags.quick ? 2 : 5;
const say = (text: string) => process.stderr.write(`${text}\n`);

/** Measures a step and goes on without it when it fails: one refused kernel must not cost the other figures. */
async function step(what: string, work: () => Promise<Omit<Line, "what">>): Promise<void> {
  say(what);
  try {
    lines.push({ what, ...(await work()) });
  } catch (error) {
    lines.push({ what, note: `failed: ${error instanceof Error ? error.message : error}` });
  }
}

async function timed(device: Device, flops: number, work: () => unknown): Promise<Omit<Line, "what">> {
  const { medianMs, leastMs, mostMs } = await time(device, "", runs, { flops, bytes: 0 }, work);
  const note = `${leastMs.toFixed(2)}-${mostMs.toFixed(2)} ms`;
  return { milliseconds: medianMs, ...(flops > 0 && { gflops: flops / medianMs / 1e6 }), note };
}

async function products(device: Device, label: string): Promise<void> {
  const n = flags.quick ? 512 : 4096;
  const [a, b] = [noise(device, [n, n]), noise(device, [n, n])];
  const flops = 2 * n ** 3;
  await step(`matmul ${n}, f32${label}`, () => timed(device, flops, () => matmul(a, b)));
  if (device.features.has("shader-f16")) {
    const [ha, hb] = [cast(a, "f16").keep(), cast(b, "f16").keep()];
    await step(`matmul ${n}, f16${label}`, () => timed(device, flops, () => matmul(ha, hb)));
    for (const tensor of [ha, hb]) tensor.dispose();
  }
  for (const tensor of [a, b]) tensor.dispose();
}

/** Side, channels in and out, kernel and stride of ResNet-50's typical convolutions. */
const convolutions = [
  [56, 64, 64, 3, 1],
  [28, 128, 128, 3, 1],
  [14, 256, 256, 3, 1],
  [7, 512, 512, 3, 1],
  [56, 256, 64, 1, 1],
  [56, 128, 128, 3, 2],
] as const;

async function convolve(device: Device, label: string): Promise<void> {
  const images = flags.quick ? 1 : 32;
  const types = device.features.has("shader-f16") ? (["f32", "f16"] as const) : (["f32"] as const);
  for (const [side, channels, columns, kernel, stride] of flags.quick ? convolutions.slice(2, 4) : convolutions) {
    const padding = (kernel - 1) / 2;
    const out = Math.floor((side + 2 * padding - kernel) / stride) + 1;
    const flops = 2 * images * out * out * kernel * kernel * channels * columns;
    const stored = (shape: number[], dtype: "f32" | "f16") => {
      const wide = noise(device, shape);
      const tensor = cast(wide, dtype).keep();
      wide.dispose();
      return tensor;
    };
    for (const dtype of types) {
      const x = stored([images, side, side, channels], dtype);
      const dy = stored([images, out, out, columns], dtype);
      const weight = stored([kernel, kernel, channels, columns], dtype);
      const name = `conv ${kernel}x${kernel}/${stride} ${channels}-${columns} at ${side}, batch ${images}, ${dtype}${label}`;
      const options = { stride, padding };
      const shape = {
        images,
        input: [side, side],
        channels,
        output: [out, out],
        columns,
        kernel: [kernel, kernel],
        stride: [stride, stride],
        padding: [padding, padding],
      } as const;
      await step(name, () => timed(device, flops, () => conv2d(x, weight, options)));
      await step(`  input gradient, ${dtype}${label}`, () =>
        timed(device, flops, () => conv2dInputGradient(dy, weight, x.shape, options)),
      );
      // Subgroup matrices have no weight gradient of their own.
      if (!label)
        await step(`  weight gradient, ${dtype}`, () => timed(device, flops, () => contractWeight(x, dy, shape)));
      for (const tensor of [x, dy, weight]) tensor.dispose();
    }
  }
}

const classes = 1000;

/** Forward, cross-entropy, backward and SGD with momentum, replayed as a plan: what hardware_torch.py does in PyTorch. */
async function training(device: Device, name: "resnet18" | "resnet50", dtype: "f32" | "f16", label: string) {
  const images = Number(flags.batch ?? (flags.quick ? 2 : 32));
  const side = flags.quick ? 64 : 224;
  await step(`${name} training step, ${images} pictures at ${side}, ${dtype}${label}`, async () => {
    const network = createBackbone(name, device, new Random(1, name), { classes });
    const parameters = network.tensors("").filter(({ tensor }) => tensor.requiresGradient);
    const optimiser = new Optimiser([{ parameters, rate: 0.01, decay: 0 }], { kind: "sgd", momentum: 0.9 });
    const x = noise(device, [images, side, side, 3]);
    const labels = new Float32Array(images * classes);
    for (let i = 0; i < images; i++) labels[i * classes + i] = 1;
    const target = Tensor.from(device, labels, [images, classes]).keep();
    const ones = Tensor.from(device, new Float32Array(images).fill(1), [images]).keep();
    const work = () => {
      const logits = cast(network.logits(cast(x, dtype), true), "f32");
      const loss = weightedMean(softCrossEntropy(logits, target), ones);
      backward(loss);
      optimiser.step();
      optimiser.clearGradients();
      return loss;
    };
    try {
      // The first steps make gradients and choose kernels; the traced one is replayed.
      for (let i = 0; i < 2; i++) {
        device.scope(() => {
          work();
        });
        await device.finish();
        await device.tuner.tune({ budgetMs: flags.quick ? 2000 : 120_000 });
      }
      using plan = device.trace(work);
      const result = await timed(device, 0, () => {
        optimiser.advance();
        plan.replay();
      });
      const [loss] = await plan.result.read();
      const perSecond = (1000 * images) / result.milliseconds!;
      return { ...result, note: `${perSecond.toFixed(1)} pictures/s, loss ${loss!.toFixed(3)}, ${result.note}` };
    } finally {
      optimiser.dispose();
      network.dispose();
      for (const tensor of [x, target, ones]) tensor.dispose();
      device.memory.drain();
    }
  });
}

/** The tests of the operations in a process of their own. */
function tests(): Line {
  say("tests of the operations");
  const files = flags.quick
    ? ["test/engine/ops/core.test.ts"]
    : ["test/engine/ops", "test/engine/optim", "test/engine/graph", "test/engine/kernel"];
  const start = performance.now();
  const run = spawnSync("bun", ["test", "--timeout", "120000", ...files], { encoding: "utf8" });
  const counted = [...`${run.stderr}${run.stdout}`.matchAll(/^\s*(\d+) (pass|fail|skip)$/gm)].map(
    (m) => `${m[1]} ${m[2]}`,
  );
  const failed = [...`${run.stderr}${run.stdout}`.matchAll(/^\(fail\) (.*)$/gm)].slice(0, 20).map((m) => m[1]);
  const note = [counted.join(", ") || `ended with ${run.status}: ${run.error ?? ""}`, ...failed].join("; ");
  return { what: `tests of the operations (${files.join(" ")})`, milliseconds: performance.now() - start, note };
}

async function measureAll(device: Device, label: string): Promise<void> {
  await products(device, label);
  await convolve(device, label);
  const half = device.features.has("shader-f16");
  for (const name of flags.quick ? (["resnet18"] as const) : (["resnet18", "resnet50"] as const)) {
    if (!label) await training(device, name, "f32", label);
    if (half && !flags.quick) await training(device, name, "f16", label);
  }
}

if (flags.tests) lines.push(tests());
const notes: string[] = [];
const device = await openDevice();
const { info, features, subgroupSize } = device;
say("roofs");
const roofs = await measureRoofs(device, flags.quick ? { sizes: [2 ** 20] } : {});
const rate = (what: string, { median }: { median: number }, unit: string) =>
  lines.push({ what, note: `${median >= 100 ? median.toFixed(0) : median.toPrecision(3)} ${unit}` });
rate("roof: multiply-adds of f32", roofs.fmaGflops, "GFLOP/s");
if (roofs.f16FmaGflops) rate("roof: multiply-adds of f16", roofs.f16FmaGflops, "GFLOP/s");
for (const { bytes, rate: measured } of roofs.copyGBps) rate(`roof: copy in ${bytes / 2 ** 20} MiB`, measured, "GB/s");
rate("roof: one dispatch", roofs.dispatchMicroseconds, "µs");
rate("roof: read-back of 4 bytes", roofs.readbackMicroseconds, "µs");
await measureAll(device, "");
device.close();

const matrices = await openDevice({ subgroupMatrices: true, onNote: (note) => notes.push(note) });
const units = matrices.matrixUnits.map(unitName);
lines.push({ what: "subgroup matrices", note: [...units, ...notes].join("; ") });
if (units.length > 0) await measureAll(matrices, ", subgroup matrices");
matrices.close();

const cell = (value: number | undefined, digits: number) => value?.toFixed(digits) ?? "";
console.log(`${info.description || info.vendor}, ${info.provider}, subgroups of ${subgroupSize || "several sizes"}\n`);
console.log("| what | ms | GFLOP/s | |\n| --- | --- | --- | --- |");
for (const { what, milliseconds, gflops, note } of lines) {
  console.log(
    `| ${what.trim()} | ${cell(milliseconds, 2)} | ${cell(gflops, 1)} | ${(note ?? "").replaceAll("|", "/").replace(/\s+/g, " ")} |`,
  );
}
const document = {
  measuredAt: new Date().toISOString(),
  info,
  features: [...features],
  subgroupSize,
  units,
  roofs,
  lines,
};
writeFileSync(flags.json, `${JSON.stringify(document, null, 2)}\n`);
process.exitCode = lines.some(({ note }) => note && /\bfailed: |[1-9]\d* fail/.test(note)) ? 1 : 0;
