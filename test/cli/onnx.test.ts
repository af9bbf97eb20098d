import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importOnnx } from "../../engine/onnx/import.ts";
import { GraphWriter } from "../../engine/onnx/write.ts";
import { decode } from "../../models/data/index.ts";
import { cplOptions } from "../../models/methods/cpl/options.ts";
import { QualityNetwork, saveModel } from "../../models/networks/model.ts";
import { openScorer } from "../../models/scoring/scorer.ts";
import { sharedDevice } from "../engine/device.ts";
import { blurredPictures } from "../models/training/pictures.ts";

let folder = "";
const inFolder = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "acutance-onnx-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function acutance(...words: string[]) {
  const child = Bun.spawn(["bun", "cli/main.ts", ...words], { env: process.env, stdout: "pipe", stderr: "pipe" });
  const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, error };
}

/** relu(conv(x)), the batch left open. */
function written(operator = "Relu"): string {
  const writer = new GraphWriter();
  const x = writer.input("input", "float32", ["batch", 3, 8, 8]);
  const weight = writer.constant("weight", "float32", [4, 3, 3, 3], new Float32Array(108).fill(0.1));
  writer.nodes(operator, [writer.node("Conv", [x, weight], {}, "first")], ["output"]);
  writer.output("output", "float32", ["batch", 4, 6, 6]);
  writeFileSync(inFolder("model.onnx"), writer.bytes({ producer: "test", version: "1" }));
  return inFolder("model.onnx");
}

test("a model is run and profiled by node", async () => {
  const model = written();
  const run = await acutance("onnx", model, "--shape", "input=2x3x8x8", "--runs", "2", "--no-tune");
  expect([run.code, run.error]).toEqual([0, ""]);
  expect(run.out).toContain("output output: float32 [2,4,6,6]");
  const profiled = await acutance(
    ...[
      "profile",
      "--no-roofs",
      "--json",
      "-",
      "--",
      "onnx",
      model,
      "--shape",
      "input=1x3x8x8",
      "--runs",
      "2",
      "--no-tune",
    ],
  );
  expect(profiled.code).toBe(0);
  const { kernels } = JSON.parse(profiled.out) as { kernels: { op: string; layer: string }[] };
  expect(kernels.some(({ layer }) => layer === "first")).toBe(true);
});

test("what is missing or not said is told", async () => {
  const open = await acutance("onnx", written());
  expect([open.code, open.error]).toEqual([2, expect.stringContaining("--shape input=1x3x224x224")]);
  const wrong = await acutance("onnx", inFolder("model.onnx"), "--shape", "other=1");
  expect([wrong.code, wrong.error]).toEqual([2, expect.stringContaining("the model's inputs are input")]);
  const missing = await acutance("onnx", written("LSTM"), "--shape", "input=1x3x8x8");
  expect([missing.code, missing.error]).toEqual([1, expect.stringContaining("not supported: LSTM (1)")]);
});

test("export --onnx writes a model that gives the scorer's scores", async () => {
  const device = await sharedDevice();
  const network = new QualityNetwork(device, cplOptions({ stages: 1, resize: 36, crop: 32, featureNorm: "batch" }));
  const card = { options: network.options, range: [0, 10], history: [], fresh: [] } as const;
  await saveModel(inFolder("model.safetensors"), network, card);
  network.dispose();
  const { code, out, error } = await acutance(
    ...["export", "--model", inFolder("model.safetensors"), "--onnx", inFolder("exported.onnx")],
  );
  expect([code, error]).toEqual([0, ""]);
  expect(out).toContain('input "picture": uint8 [height, width, 3]');
  using model = await importOnnx(inFolder("exported.onnx"), device);
  await using scorer = await openScorer({ device, model: inFolder("model.safetensors") });
  for (const { path } of await blurredPictures(inFolder("pictures"), 3, 50)) {
    const { width, height, pixels } = await decode(path);
    const { score, answer } = await model.run({ picture: { data: pixels, shape: [height, width, 3] } });
    expect(Math.abs(Number((await score!.read())[0]) - (await scorer.score(path)).score)).toBeLessThan(1e-3);
    score!.dispose();
    answer!.dispose();
  }
  const none = await acutance("export", "--model", inFolder("model.safetensors"));
  expect([none.code, none.error]).toEqual([2, expect.stringContaining("--onnx FILE")]);
});
