import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { profileSchema } from "../../engine/profile/profile.ts";
import { cplOptions } from "../../models/methods/cpl/options.ts";
import { QualityNetwork, saveModel } from "../../models/networks/model.ts";
import { sharedDevice } from "../engine/device.ts";
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
  folder = await mkdtemp(join(tmpdir(), "acutance-cli-profile-"));
  await blurredPictures(join(folder, "pictures"), 20);
  const options = cplOptions({ stages: 1, embedding: 8, levels: 5, resize: 36, crop: 32 });
  const model = new QualityNetwork(await sharedDevice(), options);
  await saveModel(join(folder, "model.safetensors"), model, { options, range: [0, 100], history: [], fresh: [] });
  model.dispose();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test("profile runs another command, shows its kernels, and writes JSON, CSV and sources", async () => {
  const files = "--json out/profile.json --csv out/kernels.csv --dump-wgsl out/wgsl";
  const { status, stdout, stderr } = acutance(
    `profile --no-roofs ${files} --top 4 --filter convNorm -- score --model model.safetensors --no-tune --csv pictures`,
  );
  expect(stderr).not.toContain("error:");
  expect(status).toBe(0);
  // The command's own output comes first.
  expect(stdout).toMatch(/^[^\n]*score/);
  expect(stdout).toMatch(/^convNorm +(conv1|layer1)/m);
  expect(stdout).toContain("adapter idle");

  const profile = profileSchema.parse(JSON.parse(await readFile(join(folder, "out/profile.json"), "utf8")));
  expect(profile.command).toBe("score --model model.safetensors --no-tune --csv pictures");
  const phases = new Set(profile.kernels.map(({ phase }) => phase));
  expect(phases).toContain("forward");
  expect(phases).toContain("input");
  expect(profile.kernels.some(({ op, layer }) => op === "convNorm" && layer.startsWith("layer1.0."))).toBe(true);
  expect(profile.marks).not.toContain("tuning-in-progress");
  expect(profile.marks).toContain("cold-pipeline");

  const rows = parse(await readFile(join(folder, "out/kernels.csv"), "utf8"), { columns: true }) as { op: string }[];
  expect(rows).toHaveLength(profile.kernels.filter(({ op }) => op === "convNorm").length);
  const sources = await readdir(join(folder, "out/wgsl"));
  expect(sources.filter((name) => name.endsWith(".wgsl"))).toHaveLength(Object.keys(profile.sources).length);
  // Redirecting what Dawn prints needs Bun.
  if (process.versions["bun"] && profile.machine.provider.startsWith("webgpu") && process.platform !== "win32") {
    const dumps = sources.filter((name) => name.endsWith(".dawn.txt"));
    expect(dumps).toHaveLength(Object.keys(profile.sources).length);
    expect(await readFile(join(folder, "out/wgsl", dumps[0]!), "utf8")).toContain("Dumped WGSL");
  }
  const tile = sources.find((name) => name.startsWith("conv-tile") && name.endsWith(".wgsl"))!;
  expect(await readFile(join(folder, "out/wgsl", tile), "utf8")).toMatch(/^\/\/ conv\/tile {2}\{[\s\S]*@compute/);
}, 60_000);

test("profile without a command, of itself, and of a command that fails", () => {
  expect(acutance("profile").stderr).toContain("which command?");
  expect(acutance("profile -- profile -- score").stderr).toContain("a profile of a profile");
  const { status, stderr } = acutance("profile -- score --model missing.safetensors pictures");
  expect(status).toBe(1);
  expect(stderr).toContain("missing.safetensors");
  expect(JSON.parse(acutance("profile --schema").stdout)).toHaveProperty("properties.kernels");
});

test("--json - leaves standard output to the document", () => {
  const printed = acutance("profile --no-roofs --json - -- score --model model.safetensors --no-tune --csv pictures");
  expect(printed.status).toBe(0);
  expect(profileSchema.parse(JSON.parse(printed.stdout)).command).toStartWith("score --model");
  // The command's own rows.
  expect(printed.stderr).toMatch(/^[^\n]*score/m);
  const both = acutance("profile --json - --csv - -- score --model model.safetensors pictures");
  expect(both).toMatchObject({ status: 2, stdout: "" });
  expect(both.stderr).toContain("both want standard output");
  for (const words of ["profile", "profile -- profile -- score"]) expect(acutance(words).status).toBe(2);
}, 60_000);
