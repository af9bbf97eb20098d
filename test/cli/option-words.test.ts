import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Option } from "commander";
import sharp from "sharp";
import { inFlags } from "../../cli/option-words.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-words-"));
  await mkdir(join(folder, "pictures"));
  const rows = ["name,mos"];
  for (let i = 0; i < 8; i++) {
    const create = { width: 40, height: 40, channels: 3, background: { r: 30 * i, g: 90, b: 120 } } as const;
    await sharp({ create })
      .png()
      .toFile(join(folder, `pictures/${i}.png`));
    rows.push(`${i}.png,${10 * i}`);
  }
  await writeFile(join(folder, "scores.csv"), `${rows.join("\n")}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const train = "train cpl --data pictures --csv scores.csv --range 0:100 --out run --no-check";
const small = `${train} --stages 1 --embedding 16 --levels 20 --resize 36 --crop 32`;
const vit = "--backbone vit_tiny_patch16_224";

/** Wrong usages, and what their message says. */
const wrong: readonly (readonly [words: string, says: string])[] = [
  [`${train} --crop 300`, "--crop 300 is larger than --resize 256"],
  [`${train} --crop 16`, "--crop 16: the backbone needs at least 32 pixels"],
  [`${train} --crop wide`, "option '--crop <n>' argument 'wide' is invalid. expected a number"],
  [`${train} --crop 1.5`, "--crop 1.5: "],
  [`${train} --stages 9`, "--stages 9: "],
  [`${train} --feature-depths 2,0`, "--feature-depths [2, 0], entry 2: "],
  [`${train} --feature-depths 2,x`, "option '--feature-depths <n,n,…>' argument '2,x' is invalid"],
  [`${train} --feature-depths 3,2`, "--feature-depths 3,2: give each depth once"],
  [`${small} --feature-depths 99`, "--feature-depths 99: resnet18 has the depths"],
  [
    `${train} --label-mode soft`,
    "option '--label-mode <word>' argument 'soft' is invalid. Allowed choices are adjacent",
  ],
  [`${train} --label-mode onehot5`, "--levels is 100; give --levels 5"],
  [`${train} --backbone vgg16 --stages 2`, "--stages 2: only ResNets"],
  [`${train} --test-tiles 9 --test-crops 5`, "--test-tiles 9 and --test-crops 5 both"],
  [`${train} --warmup-steps 3 --warmup-share 0.1`, "--warmup-steps 3 and --warmup-share 0.1 both"],
  [`${train} --token-share 0.5`, "--token-share 0.5: only vision transformers"],
  [`${train} ${vit} --token-share 0.5`, "give --frozen"],
  [`${small} --frozen 2`, "give --init or --from, or leave --frozen out"],
  [`${train} --stage-two-epochs -1`, "--stage-two-epochs -1: "],
  [`${small} --ratio 3:1`, "train stage 1 alone with --stage-two-epochs 0"],
  [`${small} --ratio 3:1:1 --warmup-steps 500`, "--warmup-steps 500: stage 1 has only"],
  [
    `${train} --ratio 1:0:3`,
    'The --ratio of labelled : unlabelled : test needs 3 positive numbers such as 1:1:1, got "1:0:3"',
  ],
  [`${small} --memory 1MiB`, "allow more memory (--memory)"],
  [`${small} --memory 2MiB`, "--memory"],
  ["train cpl --data pictures --csv scores.csv --mos-column quality", '--mos-column names "quality"'],
  ["data inspect --data pictures --csv scores.csv --lower-is-better", "pass --range"],
  ["data inspect --data pictures --csv scores.csv --exclude part=test", '--exclude names the column "part"'],
  ["score pictures --model nothing.safetensors", "as --model, or leave that out"],
  ["score pictures --memory 1MiB", "allow more memory (--memory)"],
  ["serve --decode-seconds 99999999999", "--decode-seconds 99999999999: "],
  ["serve --decoders 100", "--decoders 100: "],
  ["serve --latency 99999999999", "--latency must be from 0 to 2147483647"],
  ["serve --host 0.0.0.0", "--token-file"],
  ["serve --port 99999", "option '--port <n>' argument '99999' is invalid. expected a whole number from 0 to 65535"],
];

describe("messages of wrong usage name the options of the command line", () => {
  test.each(wrong)("%s", (words, says) => {
    const { status, stderr } = spawnSync(process.execPath, [main, ...words.split(" ")], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1", COLUMNS: "200" },
    });
    expect(stderr).toContain(says);
    expect(stderr).toMatch(/--[a-z]/);
    const ownNames = /ResNets|SharedDevice|[MGK]iB|batchNorm|maxPool2d|conv2d/g;
    expect(stderr.replace(ownNames, "").match(/\b[a-z]+[A-Z]\w*/g)).toBeNull();
    expect(stderr).not.toMatch(/\bat .*\.ts:\d+/);
    expect([1, 2]).toContain(status!);
  });
});

describe("files that are not there are named once", () => {
  test.each([
    ["train cpl --resume nowhere", "nowhere/checkpoint.safetensors"],
    [`${train.replace("scores.csv", "none.csv")}`, "none.csv"],
    [`${train} --ranked pictures`, "degraded.csv"],
    ["evaluate --data pictures --csv scores.csv --split none.csv", "none.csv"],
    ["export --model none.safetensors --out x.safetensors", "none.safetensors"],
    ["report none.json", "none.json"],
    ["score none.png", "none.png"],
  ])("%s", (words, name) => {
    const { stdout, stderr } = spawnSync(process.execPath, [main, ...words.split(" ")], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1", COLUMNS: "200" },
    });
    const message = (stderr + stdout).split("\n").find((line) => line.includes(name)) ?? "";
    expect(message.split(name)).toHaveLength(2);
    expect(stderr + stdout).not.toMatch(/ENOENT: |, open '/);
  });
});

test("names are turned into flags where they are names, and only for flags that the command has", () => {
  const options = ["--crop <n>", "--max-pixels <n>", "--memory <size>", "--no-flip"].map((flags) => new Option(flags));
  const shown = (text: string) => inFlags(text, options);
  expect(shown("`crop` 300, a crop of 300")).toBe("--crop 300, a crop of 300");
  expect(shown("raise maxPixels, limits.maxPixels or `limits.maxPixels`.")).toBe(
    "raise --max-pixels, --max-pixels or --max-pixels.",
  );
  expect(shown("`memoryLimitBytes`; `flip`; `maxBodyBytes`")).toBe("--memory; --no-flip; `maxBodyBytes`");
  for (const text of ['the column "maxPixels"', "photos/maxPixels.jpg", "maxPixels.jpg", "--set maxPixels=3"])
    expect(shown(text)).toBe(text);
});
