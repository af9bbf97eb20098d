import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blurredPictures } from "../models/training/pictures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
let folder = "";

function acutance(words: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words.split(" ")], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-cli-memory-"));
  const rows = await blurredPictures(join(folder, "pictures"), 90);
  await writeFile(
    join(folder, "scores.csv"),
    `image_name;MOS\n${rows.map(({ name, mos }) => `${name};${mos}`).join("\n")}`,
  );
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const train =
  "train cpl --data pictures --csv scores.csv --range 0:100 --ratio 8:1:1 --no-check --stages 1 --embedding 16 --levels 20 --resize 36 --crop 32 --stage-one-epochs 1 --stage-two-epochs 0";

test("train with too little --memory ends with the option that helps, and that one works", () => {
  const refused = acutance(`${train} --memory 16MiB`);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("error: stage 1 does not fit with batches of 64 pictures");
  const option = /(--stage-one-batch \d+)/.exec(refused.stderr)![1];
  const { status, stderr, stdout } = acutance(`${train} --memory 16MiB ${option}`);
  expect(stderr).toMatch(/device memory by stage 1, peak so far 1[0-6](\.\d+)? MiB: .*activations /);
  expect(stdout).toContain("device memory at its peak: 1");
  expect(status).toBe(0);
});

test("a size that is none is a usage error", () => {
  const { status, stderr } = acutance("score --model m.safetensors a.png --memory much");
  expect(status).toBe(2);
  expect(stderr).toContain('"much" is no size in bytes; write for example 4GiB');
});
