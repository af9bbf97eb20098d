import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { makeLibrary } from "../models/culling/made-library.ts";
import { knownScores } from "../models/scoring/fixtures.ts";
import { acutanceIn } from "./acutance-in.ts";

const folder = mkdtempSync(join(tmpdir(), "acutance-cull-cli-"));
const acutance = acutanceIn(() => folder);
const cull = (...words: string[]) => acutance("cull", ...words);
const at = (name: string) => join(folder, name);
let model = "";

beforeAll(async () => {
  await makeLibrary(at("photos"), 14, 77);
  rmSync(at("photos/truth.json"));
  const [first, second] = readdirSync(at("photos")).sort();
  writeFileSync(at("photos/broken.jpg"), "no picture");
  writeFileSync(at(`photos/${first!.replace(".jpg", ".xmp")}`), "<x/>");
  writeFileSync(at(`photos/${second!.replace(".jpg", ".CR2")}`), "II*\0 raw");
  mkdirSync(at("photos/sub"));
  copyFileSync(at(`photos/${first}`), at("photos/sub/copy.jpg"));
  symlinkSync("..", at("photos/sub/loop"));
  ({ model } = await knownScores(folder, 1));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rowsOf = (csv: string) => parse(csv, { columns: true }) as Record<string, string>[];
/** Files and links below `photos`, which has a loop of them. */
function everything(below = ""): string[] {
  const entries = readdirSync(at(`photos/${below}`), { withFileTypes: true });
  return entries
    .flatMap((entry) => (entry.isDirectory() ? everything(`${below}${entry.name}/`) : [`${below}${entry.name}`]))
    .sort();
}

describe("what it prints", () => {
  test("a table with decisions and reasons; a broken picture is a row", () => {
    const { status, stdout, stderr } = cull("photos", "--no-score");
    expect(status).toBe(1);
    expect(stdout).toContain("best of ");
    expect(stdout).toMatch(/reject +\d+ % +(softer|motion blur|noisier|more compressed|overexposed|darker|smaller)/);
    expect(stdout).toMatch(/photos\/broken\.jpg .*not a picture/);
    expect(stderr).toMatch(/15 pictures: \d+ groups? of 2 or more, \d+ alone; \d+ kept, \d+ rejected/);
    expect(stderr).toContain("1 of 16 pictures could not be looked at");
    expect(stdout).not.toContain("CR2");
  });

  test("CSV, JSON and a contact sheet say the same", () => {
    const csv = cull("photos", "--no-score", "--csv", "--html", "sheet.html");
    const rows = rowsOf(csv.stdout);
    expect(rows).toHaveLength(16);
    expect(rows.find(({ path }) => path === "photos/sub/copy.jpg")).toMatchObject({
      reason: "same-file",
      decision: "reject",
    });
    expect(rows[0]!["captured"]).toMatch(/^2024-05-01T[\d:]{8}\.\d{3}$/);
    expect(cull("photos", "--no-score", "--out", "rows.json").status).toBe(1);
    const { pictures, options } = JSON.parse(readFileSync(at("rows.json"), "utf8"));
    expect(options).toEqual({ keep: 1, burstGapSeconds: 3, similarity: 0.72 });
    expect(pictures.map(({ path, decision = "" }: Record<string, string>) => [path, decision])).toEqual(
      rows.map(({ path, decision }) => [path, decision]),
    );
    const [, sheet] = /id="sheet">(.*?)<\/script>/.exec(readFileSync(at("sheet.html"), "utf8"))!;
    expect(JSON.parse(sheet!).pictures).toHaveLength(16);
  });

  test("with a model, scores stand beside; more are kept where asked", () => {
    const rows = rowsOf(cull("photos", "--model", model, "--no-reasons", "--csv", "--keep", "2").stdout);
    const seen = rows.filter(({ error }) => !error);
    expect(seen.every(({ score }) => Number.isFinite(Number(score)) && score !== "")).toBe(true);
    const kept = Map.groupBy(seen, ({ group }) => group);
    for (const group of kept.values()) {
      const count = group.filter(({ decision }) => decision === "keep").length;
      expect(count).toBe(Math.min(2, group.length));
    }
  });

  test("a second run takes scores from the store", () => {
    const words = ["photos", "--model", model, "--no-reasons", "--csv", "--store", "scores.db"];
    const [first, second] = [cull(...words), cull(...words)];
    // A copy has the score of the picture that it is a copy of.
    expect(first.stderr).toMatch(/scores from the store: 1\n/);
    expect(second.stderr).toContain("scores from the store: 15");
    expect(second.stdout).toBe(first.stdout);
  });

  test("a second run with a store reads no picture, with scores or without, also for the contact sheet", () => {
    cpSync(at("photos"), at("kept"), { recursive: true, verbatimSymlinks: true });
    const files = ["kept", "kept/sub"]
      .flatMap((place) => readdirSync(at(place)).map((name) => at(`${place}/${name}`)))
      .filter((path) => lstatSync(path).isFile());
    const past = new Date("2025-01-01T00:00:00.000Z");
    for (const path of files) utimesSync(path, past, past);
    const words = (...more: string[]) => ["kept", "--csv", "--store", "kept.db", ...more];
    const runs = [["--no-score"], ["--model", model, "--no-reasons"], ["--no-score", "--html", "kept.html"]];
    const first = runs.map((more) => cull(...words(...more)));
    expect(first[0]!.stderr).toContain("looked at before: 1\n");
    expect(first[1]!.stderr).toContain("looked at before: 15");
    const sheet = readFileSync(at("kept.html"), "utf8");
    // Who reads them finds no picture.
    for (const path of files) {
      writeFileSync(path, new Uint8Array(statSync(path).size));
      utimesSync(path, past, past);
    }
    runs.forEach((more, i) => {
      const again = cull(...words(...more));
      expect(again.stdout).toBe(first[i]!.stdout);
      expect(again.stderr).toContain("looked at before: 15");
    });
    expect(readFileSync(at("kept.html"), "utf8")).toBe(sheet);
  });

  test("Ctrl-C writes what is known", async () => {
    mkdirSync(at("many"));
    for (let i = 0; i < 3000; i++) symlinkSync("../photos/IMG_00000.jpg", at(`many/${i}.jpg`));
    const words = ["cull", "many", "--no-score", "--csv", "--out", "part.csv"];
    const main = new URL("../../cli/main.ts", import.meta.url).pathname;
    const running = spawn(process.execPath, [main, ...words], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    // Long enough to have begun on any machine, and far from done.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    running.kill("SIGINT");
    const [code] = await once(running, "exit");
    expect(code).toBe(130);
    const rows = rowsOf(readFileSync(at("part.csv"), "utf8"));
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThan(3000);
    expect(new Set(rows.map(({ group }) => group)).size).toBe(1);
  });
});

describe("what it does with files", () => {
  test("a dry run changes nothing, --yes moves, --undo puts back", () => {
    const before = everything();
    const dry = cull("photos", "--no-score", "--csv", "--move", "sorted");
    expect(dry.stderr).toMatch(/dry run: 17 files would be moved, nothing is; add --yes/);
    expect([everything(), existsSync(at("sorted"))]).toEqual([before, false]);
    const moved = cull("photos", "--no-score", "--csv", "--move", "sorted", "--yes");
    const [, undoFile] = /17 files moved; acutance cull --undo (\S+) undoes it/.exec(moved.stderr)!;
    expect(everything()).toEqual(["broken.jpg", "sub/loop"]);
    expect(existsSync(at("sorted/reject/sub/copy.jpg"))).toBe(true);
    expect(cull("--undo", undoFile!)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("17 files are back"),
    });
    expect([everything(), existsSync(at("sorted"))]).toEqual([before, false]);
  });

  test("choices of a file are carried out without looking at pictures", () => {
    writeFileSync(at("choices.csv"), "path,decision\nphotos/IMG_00000.jpg,reject\nphotos/none.jpg,keep\n");
    const { status, stderr } = cull("photos", "--choices", "choices.csv", "--copy", "copied", "--yes");
    expect(status).toBe(1);
    expect(stderr).toContain("2 choices: 1 kept, 1 rejected");
    expect(stderr).toMatch(/stays: .*none\.jpg: It cannot be found/);
    expect(existsSync(at("copied/reject/IMG_00000.jpg"))).toBe(true);
  });
});

test.each([
  [[], "name pictures, or a folder of pictures"],
  [["photos", "--yes"], "--yes: name what to do with --move, --link or --copy"],
  [["photos", "--json", "--csv"], "--json and --csv: choose one of them"],
  [["photos", "--move", "a", "--copy", "b"], "--move <folder>' cannot be used with option '--copy <folder>'"],
  [["--choices", "choices.csv"], "--choices: name where the pictures go"],
  [["--undo", "x", "photos"], "--undo puts files back and does nothing else"],
  [["photos", "--burst-gap", "soon"], "expected a time such as 3s"],
  [["photos", "--keep", "0"], "expected a whole number of at least 1"],
  [["photos", "--similarity", "3"], "expected a number from 0 to 1"],
])("cull %p is wrong usage", (words, says) => {
  const { status, stderr } = cull(...words);
  expect([status, stderr]).toEqual([2, expect.stringContaining(says)]);
});

test.each([
  [["photos", "--no-score", "--out", "nowhere/a.csv"], "--out nowhere/a.csv: there is no folder nowhere"],
  [["photos", "--no-score", "--move", "photos/IMG_00000.jpg", "--yes"], "it is a file"],
  [["--undo", "photos/IMG_00000.jpg"], "is no undo file of `acutance cull`"],
  [["--choices", "none.csv", "--move", "x"], "--choices none.csv: it cannot be read: there is nothing of this name"],
])("cull %p fails with a sentence", (words, says) => {
  const { status, stderr } = cull(...words);
  expect([status, stderr]).toEqual([1, expect.stringContaining(says)]);
});
