import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { PictureError } from "../../../models/data/index.ts";
import { openScorer } from "../../../models/index.ts";
import { expectModelFile } from "../../../models/scoring/model-file.ts";
import { defaultModel } from "../../../models/scoring/shipped-models.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-model-file-"));
  await mkdir(join(folder, "run"));
  await writeFile(join(folder, "run/stage2.safetensors"), "");
  await mkdir(join(folder, "bare"));
  await writeFile(join(folder, "weights.pth"), "PK\x03\x04 and so on");
  await writeFile(join(folder, "old.pth"), Buffer.from([0x80, 0x02, 0x8a, 0x0a]));
  await writeFile(join(folder, "pointer.safetensors"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  const image = sharp({ create: { width: 8, height: 8, channels: 3, background: "teal" } });
  await image.jpeg().toFile(join(folder, "a.jpg"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each([
  ["nowhere.safetensors", "is not there"],
  ["a.jpg/x", "is not there"],
  ["run", "is a folder, which holds stage2.safetensors"],
  ["bare", "is a folder, and there is no model in it"],
  ["run/stage2.safetensors", "is an empty file"],
  ["weights.pth", "is a file of PyTorch"],
  ["old.pth", "is a file of PyTorch"],
  ["a.jpg", "is a JPEG picture"],
  ["pointer.safetensors", "Git LFS pointer"],
])("the model %s is refused by name: %s", async (name, why) => {
  const opening = openScorer({ model: join(folder, name) });
  await expect(opening).rejects.toThrow(`The model ${join(folder, name)} `);
  await expect(opening).rejects.toThrow(why);
  await expect(opening).rejects.toThrow("as `model`, or leave that out for livec-v2");
});

test("the command line's option is named to whoever uses it", async () => {
  const before = PictureError.audience;
  PictureError.audience = "command line";
  try {
    await expect(expectModelFile(join(folder, "nowhere"))).rejects.toThrow("as --model");
  } finally {
    PictureError.audience = before;
  }
});

test("the model that comes along is one", async () => {
  await expectModelFile(defaultModel);
});
