import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runArguments } from "../../../engine/device/check.ts";
import { Random } from "../../../engine/random.ts";
import { openSafetensors } from "../../../engine/weights/safetensors.ts";
import { trainCpl } from "../../../models/methods/cpl/index.ts";
import type { CplOptionsInput } from "../../../models/methods/cpl/options.ts";
import { readCheckpoint } from "../../../models/training/checkpoint.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures } from "./pictures.ts";

/** 44 steps of a few milliseconds each, in both stages. */
const options: CplOptionsInput = {
  stages: 1,
  embedding: 16,
  levels: 20,
  resize: 32,
  crop: 32,
  stageOneEpochs: 3,
  stageTwoEpochs: 8,
  stageOneBatch: 2,
  labelledBatch: 2,
  unlabelledBatch: 2,
  neighbours: 3,
};
const kills = 20;
const script = new URL("./training-process.ts", import.meta.url).pathname;

test("a training killed twenty times ends with the bits of an undisturbed one, and every file is whole at any time", async () => {
  const folder = await mkdtemp(join(tmpdir(), "acutance-kill-"));
  try {
    const rows = await blurredPictures(join(folder, "pictures"), 19, 32);
    const data = { labelled: rows.slice(0, 8), unlabelled: rows.slice(8, 16), test: rows.slice(16), range: [0, 100] };
    const input = join(folder, "input.json");
    await writeFile(input, JSON.stringify({ data, options }));
    const [whole, killed] = [join(folder, "whole"), join(folder, "killed")];
    const { model } = await trainCpl(await sharedDevice(), { ...data, range: [0, 100] }, options, { folder: whole });
    model.dispose();

    const random = new Random(5, "kills");
    const reached: string[] = [];
    for (let kill = 0; kill < kills; kill++) {
      const resume = existsSync(join(killed, "checkpoint.safetensors"));
      const { end, errors } = await trainAndKill([resume ? "resume" : "train", killed, input], random);
      expect(errors).toBe("");
      expect(end).toEqual([null, "SIGKILL"]);
      reached.push(await verify(killed));
    }
    // The kills fell all along the way, in both stages.
    expect(new Set(reached).size).toBeGreaterThan(kills / 3);
    expect(reached.at(-1)).toStartWith("2.");
    const last = await trainAndKill(["resume", killed, input], undefined);
    expect(last).toEqual({ end: [0, null], errors: "" });
    expect((await readdir(killed)).sort()).toEqual([
      "checkpoint.safetensors",
      "model.safetensors",
      "stage1.safetensors",
    ]);
    for (const name of ["stage1.safetensors", "model.safetensors"]) {
      expect(await readFile(join(killed, name))).toEqual(await readFile(join(whole, name)));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

/**
 * Starts a training and kills it within the step that follows its first, second, third or fourth, or while it starts;
 * without `random` it
 * runs to its end.
 */
async function trainAndKill(words: string[], random: Random | undefined) {
  const child = spawn(process.execPath, [...runArguments(), script, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  if (random) {
    const steps = random.integer(5);
    const moment = random.uniform();
    const kill = () => child.kill("SIGKILL");
    let seen = 0;
    if (steps === 0) setTimeout(kill, 500 * moment);
    createInterface({ input: child.stdout }).on("line", () => {
      seen++;
      if (seen === steps) setTimeout(kill, 15 * moment);
      else if (seen > steps) kill();
    });
  } else child.stdout.resume();
  const end = await exit;
  // What the adapter's runtime has to say is no error.
  return { end, errors: errors.replaceAll(/^Warning: .*\n/gm, "") };
}

/** Opens and reads every file of a run; gives the position of its checkpoint as "stage.epoch.step". */
async function verify(folder: string): Promise<string> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  expect(names.filter((name) => name.endsWith(".tmp")).length).toBeLessThanOrEqual(1);
  for (const name of names.filter((name) => name.endsWith(".safetensors"))) {
    await using file = await openSafetensors(join(folder, name));
    for (const tensor of file.tensors.keys()) {
      const { bytes, dtype } = await file.read(tensor);
      expect(dtype).toBe("F32");
      expect(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).every(Number.isFinite)).toBe(true);
    }
  }
  if (!names.includes("checkpoint.safetensors")) return "none";
  const { stage, epoch, step } = (await readCheckpoint(join(folder, "checkpoint.safetensors"))).position;
  return `${stage}.${epoch}.${step}`;
}
