import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { classes } from "../../models/reasons/head.ts";
import { openReasons } from "../../models/reasons/index.ts";
import { pixels } from "../models/classic/pictures.ts";
import { settledFile } from "../models/reasons/made-head.ts";
import { smallModel } from "../models/scoring/fixtures.ts";
import { acutanceIn } from "./acutance-in.ts";

let folder = "";
const inFolder = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-reasons-"));
  await mkdir(inFolder("photos"));
  await mkdir(inFolder("none"));
  for (let i = 0; i < 11; i++) {
    const [width, height] = [64 + i, 60];
    const image = sharp(pixels("waves", height, width, i + 1), { raw: { width, height, channels: 3 } });
    await image.toFile(inFolder(`photos/${i}.png`));
  }
  await writeFile(inFolder("photos/broken.jpg"), Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const acutance = acutanceIn(() => folder);

describe("acutance reasons", () => {
  test("writes a file, shows how well it tells, and names what it left out", async () => {
    const words = ["reasons", "photos", "--out", "made.safetensors", "--steps", "20", "--good", "0.7"];
    const { status, stdout, stderr } = acutance(...words);
    expect([status, stderr]).toEqual([1, expect.stringContaining("left out: photos/broken.jpg")]);
    expect(stdout).toContain("copies of 2 photographs that were held out");
    expect(stdout).toMatch(/macro-F1 0\.\d{3}; /);
    for (const name of classes) expect(stdout).toContain(`as ${name}`);
    expect((await openReasons(inFolder("made.safetensors"))).good).toBe(0.7);
    const again = acutance(...words, "--json");
    const figures = JSON.parse(again.stdout);
    expect(figures).toMatchObject({ photographs: { "held out": 2 }, copies: 36 });
  });

  test("says what it cannot do, and writes nothing", () => {
    const none = acutance("reasons", "none", "--out", "no.safetensors");
    expect([none.status, none.stderr]).toEqual([1, expect.stringContaining("none holds no picture")]);
    expect(none.stderr).toContain("0 photographs can be used");
    expect(acutance("reasons", "photos", "--out", "no.safetensors", "--count", "3").status).toBe(2);
    expect(acutance("reasons", "photos", "--out", "no.safetensors", "--good", "2").status).toBe(2);
    expect(acutance("reasons", "photos", "--out", "nowhere/no.safetensors").stderr).toContain(
      "there is no folder nowhere",
    );
    expect(existsSync(inFolder("no.safetensors"))).toBe(false);
  });
});

test("acutance score tells reasons in table, CSV and JSON, by the file that is named or none", async () => {
  const model = await smallModel(folder);
  await settledFile(inFolder("settled.safetensors"), { "low-contrast": 1, noise: 0.5 }, 1);
  const score = (...words: string[]) => acutance("score", "--model", model, "photos/0.png", ...words);
  const told = ["--reasons", "settled.safetensors"];
  const table = score(...told).stdout;
  expect(table).toContain("lowered by");
  expect(table).toContain("low contrast 62 %, noise 38 %");
  const rows = parse(score(...told, "--csv").stdout, { columns: true }) as Record<string, string>[];
  expect(rows[0]!["reasons"]).toBe("low-contrast;noise");
  const { pictures } = JSON.parse(score(...told, "--json").stdout);
  expect(pictures[0].reasons.map(({ reason }: { reason: string }) => reason)).toEqual(["low-contrast", "noise"]);
  expect(pictures[0].reasons[0].probability).toBeCloseTo(Math.exp(1) / (Math.exp(1) + Math.exp(0.5)), 6);
  const without = score("--no-reasons", "--csv").stdout;
  expect(without.split("\n")[0]).not.toContain("reasons");
  const wrong = score("--reasons", model);
  expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining("is no file of reasons")]);
});
