// What the commands say of pictures that are refused, and the options that their advice names.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { jpegWithRestarts, markerAt, scene } from "../models/data/pictures/damage/files.ts";
import { smallModel } from "../models/scoring/fixtures.ts";

const root = join(import.meta.dir, "../..");
let folder: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-refused-"));
  model = await smallModel(folder);
  const whole = await jpegWithRestarts();
  const [from, to] = [markerAt(whole, 0xd2), markerAt(whole, 0xd3)];
  await writeFile(join(folder, "gap.jpg"), Buffer.concat([whole.subarray(0, from + 2), whole.subarray(to)]));
  await writeFile(join(folder, "large.png"), await scene(200, 150).png().toBuffer());
  for (let i = 0; i < 4; i++)
    await sharp(
      await scene(60 + i, 40)
        .png()
        .toBuffer(),
    ).toFile(join(folder, `${i}.png`));
  const rows = ["gap.jpg,50", "large.png,40", ...[0, 1, 2, 3].map((i) => `${i}.png,${10 * i}`)];
  await writeFile(join(folder, "mos.csv"), `name,mos\n${rows.join("\n")}\n`);
});
afterAll(() => rm(folder, { recursive: true }));

function run(...words: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, "cli/main.ts", ...words], {
    cwd: root,
    env: process.env,
  });
  return { out: stdout.toString(), err: stderr.toString(), exitCode };
}

const damaged = "score what there is with --strictness error";
const tooLarge = "It has 200 x 150 = 30,000 pixels; the limit is 20,000. Raise --max-pixels";

test("score", () => {
  const words = ["score", join(folder, "gap.jpg"), join(folder, "large.png"), "--csv", "--model", model];
  const refused = run(...words, "--max-pixels", "20000");
  expect(refused.exitCode).toBe(1);
  expect(refused.out).toContain(damaged);
  expect(refused.out).toContain(tooLarge);
  expect(refused.out).not.toContain("maxPixels");
  const taken = run(...words, "--max-pixels", "30000", "--strictness", "error");
  expect(taken).toMatchObject({ exitCode: 0 });
  expect(run(...words, "--strictness", "lax").exitCode).toBe(2);
});

test("evaluate, data inspect, train", () => {
  const data = ["--data", folder, "--csv", join(folder, "mos.csv")];
  const limits = ["--max-pixels", "20000"];
  const accepted = ["--max-pixels", "30000", "--strictness", "error"];
  const evaluated = run("evaluate", ...data, "--model", model, ...limits);
  expect(evaluated.err).toContain(damaged);
  expect(evaluated.err).toContain(tooLarge);
  expect(run("evaluate", ...data, "--model", model, ...accepted).err).not.toContain("left out");
  const inspected = run("data", "inspect", ...data, ...limits);
  expect(inspected.out).toContain(damaged);
  expect(inspected.out).toContain(tooLarge);
  expect(run("data", "inspect", ...data, ...accepted).out).not.toContain("damaged");
  const options = ["--stages", "1", "--embedding", "8", "--levels", "10", "--resize", "36", "--crop", "32"];
  const shape = [...options, "--ratio", "4:1", "--stage-two-epochs", "0", "--stage-one-epochs", "1"];
  const trained = run("train", "cpl", ...data, ...shape, ...limits, "--out", join(folder, "run"));
  expect(trained.err).toContain(damaged);
  expect(trained.err).toContain(tooLarge);
  const all = run("train", "cpl", ...data, ...shape, ...accepted, "--out", join(folder, "run-all"));
  expect(all.err).not.toContain("left out");
  expect(all).toMatchObject({ exitCode: 0 });
}, 300_000);
