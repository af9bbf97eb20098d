import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors } from "../../engine/weights/safetensors.ts";
import { cplOptions } from "../../models/methods/cpl/options.ts";
import { readCard } from "../../models/networks/card.ts";
import { QualityNetwork, saveModel } from "../../models/networks/model.ts";
import { openScorer } from "../../models/scoring/scorer.ts";
import { sharedDevice } from "../engine/device.ts";
import { blurredPictures } from "../models/training/pictures.ts";

let folder = "";
const inFolder = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-export-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function acutance(...words: string[]) {
  const child = Bun.spawn(["bun", "cli/main.ts", ...words], { env: process.env, stdout: "pipe", stderr: "pipe" });
  const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, error };
}

test("a model in f16 has half the size, its card with notes, and scores alike", async () => {
  const device = await sharedDevice();
  const model = new QualityNetwork(device, cplOptions({ stages: 2, resize: 36, crop: 32, featureNorm: "batch" }));
  const card = { options: model.options, range: [0, 10], history: ["made by a test"], fresh: [] } as const;
  await saveModel(inFolder("whole.safetensors"), model, card);
  const { code, out } = await acutance(
    ...["export", "--model", inFolder("whole.safetensors"), "--out", inFolder("half.safetensors")],
    ...["--note", "for research", "only"],
  );
  expect([code, out]).toEqual([0, expect.stringContaining("in f16")]);
  const [whole, half] = await Promise.all(["whole", "half"].map((name) => stat(inFolder(`${name}.safetensors`))));
  expect(half!.size / whole!.size).toBeLessThan(0.53);
  await using file = await openSafetensors(inFolder("half.safetensors"));
  expect(readCard(file).history).toEqual(["made by a test", "for research", "only"]);
  const rows = await blurredPictures(inFolder("pictures"), 5);
  const scores = async (name: string) => {
    await using scorer = await openScorer({ device, model: inFolder(name) });
    return Promise.all(rows.map(async ({ path }) => (await scorer.score(path)).score));
  };
  const [full, short] = [await scores("whole.safetensors"), await scores("half.safetensors")];
  full.forEach((score, i) => {
    expect(Math.abs(short[i]! - score)).toBeLessThan(0.01);
    expect(short[i]).not.toBe(score);
  });
  model.dispose();
});

test("what cannot be exported is refused", async () => {
  const device = await sharedDevice();
  const model = new QualityNetwork(device, cplOptions({ stages: 1, resize: 36, crop: 32 }));
  const weight = model.tensors().find(({ name }) => name === "head.logits.weight")!.tensor;
  weight.write(new Float32Array(weight.size).fill(1e6));
  const card = { options: model.options, range: [0, 10], history: [], fresh: [] } as const;
  const save = saveModel(inFolder("large.safetensors"), model, card, "f16");
  await expect(save).rejects.toThrow("head.logits.weight has weights that f16 cannot hold");
  model.dispose();
  const refused = await acutance("export", "--model", "none", "--out", "none", "--precision", "f8");
  expect([refused.code, refused.error]).toEqual([2, expect.stringContaining("choose f32 or f16")]);
});
