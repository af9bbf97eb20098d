/**
 * `bun run onnx:check [NAME]`: models exported as ONNX beside the scorer, on 20 pictures each, in onnxruntime-node on the CPU and
 * through `importOnnx`. Ends with code 1 when a score differs by more than 1e-4 of the range.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "../../engine/index.ts";
import { importOnnx } from "../../engine/onnx/import.ts";
import { decode } from "../../models/data/index.ts";
import { openModel, QualityNetwork, saveModel } from "../../models/networks/model.ts";
import { exportModel } from "../../models/networks/onnx.ts";
import { modelOptions } from "../../models/networks/options.ts";
import { openScorer } from "../../models/scoring/scorer.ts";
import { defaultModel, modelPath } from "../../models/scoring/shipped-models.ts";
import { blurredPictures } from "../models/training/pictures.ts";
import { installRivals } from "./install.ts";
import { importRival } from "./package-of.ts";

interface OrtTensor {
  readonly data: ArrayLike<number>;
}

interface Ort {
  readonly Tensor: new (type: string, data: Uint8Array | Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>; release(): Promise<void> }>;
  };
}

const small = { resize: 72, crop: 64 } as const;
/** Networks that are drawn from a seed, small enough to be checked in seconds. */
const drawn: Readonly<Record<string, Record<string, unknown>>> = {
  "resnet-18": { ...small, backbone: "resnet18" },
  "resnet-50, score": { ...small, backbone: "resnet50", head: "score" },
  "mobilenet-v2": { ...small, backbone: "mobilenet_v2" },
  "vgg-16, classes": { ...small, backbone: "vgg16", head: "classes", levels: 5 },
  "vit-tiny": { resize: 80, crop: 64, backbone: "vit_tiny_patch16_224" },
  "db-cnn": { ...small, network: "dbcnn", backbone: "vgg16" },
  hyperiqa: { ...small, network: "hyperiqa", backbone: "resnet50", head: "score" },
  reiqa: { ...small, network: "reiqa", backbone: "resnet50", head: "score" },
};

const folder = mkdtempSync(join(tmpdir(), "onnx-check-"));
await installRivals();
const ort = await importRival<Ort>("onnxruntime-node");
using device = await openDevice();
const rows = await blurredPictures(join(folder, "pictures"), 20, 150);
const isWanted = (name: string) => name.includes(process.argv[2] ?? "");
const shipped = [
  ["livec-v2", defaultModel],
  ["fast", modelPath("fast")],
] as const;
const models = new Map<string, string>(shipped.filter(([name]) => isWanted(name)));
for (const [name, options] of Object.entries(drawn)) {
  if (!isWanted(name)) continue;
  const path = join(folder, `${models.size}.safetensors`);
  const model = new QualityNetwork(device, modelOptions(options));
  await saveModel(path, model, { options: model.options, range: [0, 100], history: [], fresh: [] });
  model.dispose();
  models.set(name, path);
}
let isWrong = false;
for (const [name, path] of models) {
  const { model, card } = await openModel(device, path);
  const { bytes } = await exportModel(model, card);
  model.dispose();
  await using scorer = await openScorer({ device, model: path });
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["cpu"] });
  using imported = await importOnnx(bytes, device);
  const width = card.range[1] - card.range[0];
  let [theirs, ours] = [0, 0];
  for (const row of rows) {
    const { score } = await scorer.score(row.path);
    const picture = await decode(row.path);
    const shape = [picture.height, picture.width, 3];
    const found = await session.run({ picture: new ort.Tensor("uint8", picture.pixels, shape) });
    theirs = Math.max(theirs, Math.abs(found["score"]!.data[0]! - score) / width);
    const again = await imported.run({ picture: { data: picture.pixels, shape } });
    ours = Math.max(ours, Math.abs(Number((await again["score"]!.read())[0]) - score) / width);
    for (const output of Object.values(again)) output.dispose();
  }
  await session.release();
  isWrong ||= Math.max(theirs, ours) > 1e-4;
  console.log(
    `${name}: ${bytes.length} bytes, onnxruntime differs by ${theirs.toExponential(1)} of the range, importOnnx by ${ours.toExponential(1)}`,
  );
}
rmSync(folder, { recursive: true });
process.exit(isWrong ? 1 : 0);
