import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backward, withoutGradients } from "../../../engine/autograd.ts";
import { fileShape, type NamedTensor } from "../../../engine/nn/named.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { openWeights } from "../../../engine/weights/open.ts";
import { type TensorToStore, writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { Scnn } from "../../../models/backbones/scnn.ts";
import { dbCnn } from "../../../models/methods/dbcnn/index.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import type { ModelOptions } from "../../../models/networks/options.ts";
import { formula, relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";
import { noise, noiseWeights, summaryOf } from "../noise.ts";

interface Golden {
  readonly backbone: ModelOptions["backbone"];
  readonly shape: number[];
  readonly training: boolean;
  readonly scores: number[];
  readonly gradients?: Record<string, { norm: number; along: number }>;
  readonly running?: Record<string, number[]>;
}

interface GoldenScnn {
  readonly scnn: true | string;
  readonly shape: number[];
  readonly mapShape: number[];
  /** Every 23rd. */
  readonly map: number[];
}

const all: (Golden | GoldenScnn)[] = JSON.parse(
  readFileSync(new URL("../../golden/dbcnn.json", import.meta.url), "utf8"),
);
const cases = all.filter((each): each is Golden => "backbone" in each);
const branches = all.filter((each): each is GoldenScnn => "scnn" in each);
const device = await sharedDevice();
const folder = await mkdtemp(join(tmpdir(), "acutance-dbcnn-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The name of a tensor in the files of DB-CNN's authors; a backbone other than theirs has its own names there. */
function authorsName(name: string): string {
  if (name.startsWith("scnn.")) return name.replace("scnn.features.", "features2.");
  if (name.startsWith("head.logits.")) return name.replace("head.logits.", "fc.");
  return name.startsWith("features.") ? name.replace("features.", "features1.") : `features1.${name}`;
}

/** A file of noise with the tensors of a model under other names. */
async function written(
  file: string,
  tensors: readonly NamedTensor[],
  nameOf: (name: string) => string,
  smallEnds = false,
): Promise<string> {
  const stored = tensors.map((named): TensorToStore => {
    const [name, shape] = [nameOf(named.name), fileShape(named)];
    return { name, dtype: "F32", shape, data: noiseWeights(name, shape, smallEnds) };
  });
  const path = join(folder, file);
  await writeSafetensors(path, stored);
  return path;
}

function pictures([images, height, width]: readonly number[], scaled = (v: number) => (1 + v) / 2): Tensor {
  const shape = [images!, height!, width!, 3];
  const values = noise("pictures", images! * height! * width! * 3);
  return Tensor.from(
    device,
    Float32Array.from(values, (v) => Math.fround((1 + v) / 2)).map((v) => scaled(2 * v - 1)),
    shape,
  );
}

const made = (backbone: ModelOptions["backbone"], more: object = {}) =>
  new QualityNetwork(device, dbCnn.options({ backbone, crop: 64, resize: 64, ...more }), "zero");

/** Relative to the largest. */
const tolerance = 1e-4;

describe("scores and gradients of PyTorch in double precision, from files with the authors' names", () => {
  for (const golden of cases) {
    const { backbone, shape, training } = golden;
    test(`${backbone}, [${shape}]${training ? ", a step" : ""}`, async () => {
      const model = made(backbone);
      const path = await written(`${backbone}.safetensors`, model.tensors(), authorsName, training);
      const { fresh, lines, headStarted } = await model.start(path, [0, 1]);
      expect([...fresh]).toEqual([]);
      expect(headStarted).toBe(true);
      expect(lines.join("; ")).toContain("whose scores are taken as those of the range [0, 1]");
      const named = new Map(model.tensors().map((each) => [authorsName(each.name), each]));
      const reads = device.scope(() => {
        const x = pictures(shape);
        if (!training) return { scores: withoutGradients(() => model.forward(x, false).logits.read()) };
        const { logits } = model.forward(x, true);
        backward(sum(multiply(logits, Tensor.from(device, formula({ shape: [2, 1], seed: 99 }), [2, 1]))));
        return {
          scores: logits.read(),
          gradients: Object.keys(golden.gradients!).map((name) => named.get(name)!.tensor.gradient!.read()),
          running: Object.keys(golden.running!).map((name) => named.get(name)!.tensor.read()),
        };
      });
      const error = relativeError(await reads.scores, golden.scores);
      let worst = { norm: 0, along: 0, name: "" };
      for (const [i, [name, { norm, along }]] of Object.entries(golden.gradients ?? {}).entries()) {
        const found = summaryOf(await reads.gradients![i]!, named.get(name)!);
        // The bias of a convolution has no say where the batch's mean is taken off.
        if (norm < 1e-9) {
          expect(found.norm, name).toBeLessThan(1e-5);
          continue;
        }
        const off = { norm: Math.abs(found.norm - norm) / norm, along: Math.abs(found.along - along) / norm, name };
        if (Math.max(off.norm, off.along) > Math.max(worst.norm, worst.along)) worst = off;
      }
      if (process.env["GOLDEN_ERRORS"]) console.log(backbone, shape.join("x"), error, worst);
      expect(error).toBeLessThan(tolerance);
      for (const [i, [name, values]] of Object.entries(golden.running ?? {}).entries())
        expect(relativeError((await reads.running![i]!).slice(0, values.length), values), name).toBeLessThan(tolerance);
      expect(worst.norm, worst.name).toBeLessThan(1e-3);
      expect(worst.along, worst.name).toBeLessThan(1e-2);
      model.dispose();
    });
  }
});

describe("the branch for distortions gives PyTorch's map in double precision", () => {
  for (const golden of branches) {
    const given = new URL(`../../../../shared/weights/${golden.scnn}.f32.safetensors`, import.meta.url).pathname;
    const own = golden.scnn === true;
    test.skipIf(!own && !existsSync(given))(own ? "of noise" : "of its authors (../shared)", async () => {
      const scnn = new Scnn(device, undefined);
      const path = own ? await written("scnn.safetensors", scnn.tensors(""), (name) => name) : given;
      await using file = await openWeights(path);
      expect(Scnn.isIn(file)).toBe(true);
      const { fresh } = await scnn.start(file);
      expect(fresh.size).toBe(0);
      const read = device.scope(() =>
        withoutGradients(() => {
          const map = scnn.through(
            pictures(golden.shape, (v) => v),
            false,
          );
          expect(map.shape).toEqual(golden.mapShape);
          return { map: map.read() };
        }),
      );
      const found = (await read.map).filter((_, i) => i % 23 === 0);
      const error = relativeError(found, golden.map);
      if (process.env["GOLDEN_ERRORS"]) console.log("S-CNN", golden.scnn, error);
      expect(error).toBeLessThan(1e-5);
      scnn.dispose();
    });
  }
});

describe("start weights", () => {
  const small = { stages: 1, crop: 32, resize: 32 };

  test("backbone and branch come from a file each, and what neither has stays fresh", async () => {
    const model = made("resnet18", small);
    const backbone = await written("stage.safetensors", model.backbone.tensors(""), (name) => name);
    const scnn = new Scnn(device, new Random(1, "scnn"));
    const branch = await written("branch.safetensors", scnn.tensors(""), (name) => name);
    scnn.dispose();
    const { fresh, lines } = await model.start([backbone, branch], [0, 100]);
    expect([...fresh]).toEqual([]);
    expect(lines.join("; ")).toContain(`the S-CNN starts from ${branch}`);
    const alone = await made("resnet18", small).start(backbone, [0, 100]);
    expect([...alone.fresh].filter((name) => name.startsWith("scnn.")).length).toBe(54);
    model.dispose();
  });

  test("scores of the file become shares of the range that is given", async () => {
    const model = made("resnet18", small);
    const path = await written("whole.safetensors", model.tensors(), authorsName);
    const score = async (range: [number, number]) => {
      await model.start(path, range);
      const { read } = device.scope(() => ({ read: model.forward(pictures([1, 40, 40]), false).logits.read() }));
      const [share] = await read;
      return model.head.score([share!], range).score;
    };
    const [raw, wide] = [await score([0, 1]), await score([20, 100])];
    expect(Math.abs(raw - wide)).toBeLessThan(1e-4);
    model.dispose();
  });

  test("a file for another backbone is refused by name, and a head that has no score starts fresh", async () => {
    const [other, whole, scores] = [
      made("vgg16"),
      made("resnet18", { ...small, head: "classes", levels: 3 }),
      made("resnet18", small),
    ];
    const path = await written("for-resnet.safetensors", scores.tensors(), authorsName);
    await expect(other.start(path, [0, 100])).rejects.toThrow("no part of a VGG-16 without batch norm");
    const { fresh, lines, headStarted } = await whole.start(path, [0, 100]);
    expect([...fresh]).toEqual([]);
    expect(headStarted).toBe(false);
    expect(lines.at(-1)).toContain("is no start for the head classes");
    for (const model of [other, whole, scores]) model.dispose();
  });
});

test.each([
  [{ backbone: "vit_tiny_patch16_224" }, "a vision transformer has none"],
  [{ pooling: "statistics" }, "`pooling` statistics: the `network` dbcnn makes its feature in its own way"],
  [{ featureNorm: "batch" }, "`featureNorm` batch"],
  [{ featureDepths: [2], backbone: "resnet18" }, "`featureDepths` 2"],
  [{ drifting: true, frozen: 3 }, "`drifting`: with `frozen` 3"],
  [{ loss: "emd" }, "`loss` emd: a network with the `head` score learns by l1, l2"],
] as const)("options that do not go together are refused: %j", (options, message) => {
  expect(() => dbCnn.options(options as never)).toThrow(message);
});
