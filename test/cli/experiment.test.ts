import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { small, writePictures } from "../models/experiments/recipe.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
let folder = "";

/** Runs the command line in a process of its own, as a user does. */
function acutance(words: string[], stop?: { at: RegExp; signal: NodeJS.Signals }) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, [main, ...words], { cwd: folder, env: { ...process.env, NO_COLOR: "1" } });
    let out = "";
    let err = "";
    let sent = false;
    child.stdout.on("data", (text) => {
      out += text;
    });
    child.stderr.on("data", (text) => {
      err += text;
      if (stop?.at.test(err) && !sent) sent = child.kill(stop.signal);
    });
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-experiment-cli-"));
  await writePictures(join(folder, "pictures"), 30);
  await mkdir(join(folder, "photos"));
  await writePictures(join(folder, "photos"), 5);
  const base = Object.entries(small).map(([key, value]) => `${key} = ${value}`);
  const lines = ['title = "Mine"', "seeds = [1, 2]", "[base]", ...base, "[grid]", "gamma = [0.99, 0.5]"];
  await writeFile(join(folder, "mine.toml"), `${lines.join("\n")}\n`);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const data = ["--data", "pictures", "--csv", "pictures/scores.csv", "--range", "0:100"];

describe("a researcher", () => {
  test("sees what would be done, is stopped, goes on, and has a table in the end", async () => {
    const before = await acutance(["experiment", "mine.toml", ...data, "--dry-run", "--rehearse"]);
    expect(before).toMatchObject({ code: 0 });
    expect(before.out.match(/[0-9a-f]{8}, [\d.]+ (MiB|KiB)/g)).toHaveLength(8);
    expect(before.out).toContain("4 runs of 6 trainings (one key is trained once), 6 still to do");

    const stopped = await acutance(["experiment", "mine.toml", ...data], { at: /1 of 4 finished/, signal: "SIGTERM" });
    expect(stopped.err).toContain("the experiment was interrupted");
    expect(stopped.err).toContain("run the same command again");
    expect(stopped.code).toBe(130);
    const killed = await acutance(["experiment", "mine.toml", ...data], { at: /2 of 4 finished/, signal: "SIGKILL" });
    expect(killed.code).toBe(null);

    const done = await acutance(["experiment", "mine.toml", ...data]);
    expect(done.code).toBe(0);
    expect(done.err).toContain("1 of 4 finished: gamma 0.99, seed 1 (was done before)");
    expect(done.out).toContain("| gamma 0.99 | 2 |");
    expect(done.out).toContain("| gamma 0.5 | 2 |");
    const after = await acutance(["experiment", "mine.toml", ...data, "--dry-run"]);
    expect(after.out).toContain("0 still to do");
    const record = JSON.parse(await readFile(join(folder, "runs/experiments/mine/experiment.json"), "utf8"));
    expect(record.variants).toHaveLength(2);
  });

  test("changes a recipe by flags, and sees it", async () => {
    const words = ["--print", "--set", "levels=10", "--set", "labelMode=minent", "--seeds", "4", "--only", "gamma 0.5"];
    const { out } = await acutance(["experiment", "mine.toml", ...data, ...words, "--unlabelled", "photos"]);
    expect(JSON.parse(out)).toMatchObject({
      data: { folder: "pictures", csv: "pictures/scores.csv", range: [0, 100] },
      seeds: [4],
      base: { levels: 10, labelMode: "minent", moreUnlabelled: ["photos"] },
      vary: [{ name: "gamma 0.5", gamma: 0.5 }],
    });
  });

  test("gives other scores by a flag, and the recipe's way to read its own is forgotten", async () => {
    const text = [
      'title = "CSV"',
      "[data]",
      'csv = "a.csv"',
      'folder = "photos"',
      "range = [0, 9]",
      "lowerIsBetter = true",
    ];
    await writeFile(join(folder, "csv.toml"), text.join("\n"));
    const words = ["experiment", "csv.toml", "--print", "--ranked", "copies"];
    const { out } = await acutance([...words, "--dataset", "livec"]);
    expect(JSON.parse(out).data).toEqual({ dataset: "livec", folder: join(folder, "photos"), ranked: "copies" });
    const kept = JSON.parse((await acutance(words)).out).data;
    expect(kept).toMatchObject({ csv: join(folder, "a.csv"), range: [0, 9], lowerIsBetter: true });
  });

  test("lists the built-in recipes with what they need", async () => {
    const { code, out } = await acutance(["experiment", "list"]);
    expect(code).toBe(0);
    expect(out).toMatch(/livec-ablation +CPL-IQA on LIVE-C/);
    expect(out).toContain("--data FOLDER (livec)");
    expect(out).toContain("--init FILE (vit_tiny_patch16_224)\n");
    expect(out).toContain("--init FILE (resnet101); without it random weights");
    expect(JSON.parse((await acutance(["experiment", "schema"])).out)).toMatchObject({ type: "object" });
  });
});

test.each([
  [["experiment"], 2, "recipe"],
  [["experiment", "mian"], 1, 'there is no recipe "mian"'],
  [["experiment", "mine.toml"], 1, "data does not say the folder of its pictures; give it with --data FOLDER"],
  [["experiment", "mine.toml", ...data, "--set", "gama=1"], 1, "base.gama: there is no such key; did you mean gamma?"],
  [["experiment", "mine.toml", ...data, "--set", "method=supervised"], 1, "grid.gamma: supervised has no such option"],
  [
    ["experiment", "mine.toml", ...data, "--set", "method=super"],
    1,
    'base.method: Invalid option: expected one of "cpl"',
  ],
  [["experiment", "mine.toml", ...data, "--folder", "spaq=x"], 1, "has no such data set"],
  [["experiment", "mine.toml", ...data, "--only", "nothing"], 1, "it has: gamma 0.99; gamma 0.5"],
  [["experiment", "mine.toml", ...data, "--init", "absent.pth"], 1, "a weights file cannot be read"],
  [["experiment", "mine.toml", ...data, "--seeds", "a"], 2, "whole number"],
  [["experiment", "mine.toml", ...data, "--seeds", "1,,2"], 2, "whole number"],
  [["experiment", "more-unlabelled", "--unlabelled", "a/livec"], 1, "give its folder with --folder livec=a/livec"],
  [["experiment", "mine.toml", ...data, "--range", "0:"], 2, "expected two numbers"],
])("%j is refused", async (words, code, message) => {
  const found = await acutance(words as string[]);
  expect(found.err).toContain(message as string);
  expect(found.code).toBe(code as number);
  expect(found.err).not.toContain("    at ");
});

describe("rows by formula", () => {
  test("take their parameters from flags, and flags for rows that there are not are refused", async () => {
    const printed = async (...words: string[]) => {
      const { code, out, err } = await acutance(["experiment", ...words, "--print"]);
      return code === 0 ? JSON.parse(out).formulas : err;
    };
    const files = ["--parameters", "niqe=n.mat", "--parameters", "brisque=b.txt", "--feature-range", "b.range"];
    expect(await printed("rivals-livec", ...files, "--only", "regressor", "--only", "BRISQUE")).toEqual([
      { name: "BRISQUE", method: "brisque", parameters: "b.txt", featureRange: "b.range" },
    ]);
    expect(await printed("rivals", "--parameters", "piqe=p")).toContain(
      "--parameters piqe: the recipe rivals has no row by that formula; it has: niqe, brisque",
    );
    expect(await printed("mine.toml", "--feature-range", "b")).toContain("has no row by brisque");
    expect(await printed("rivals", "--only", "NIQE")).toContain("choose a variant that is");
  });
});
