import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { knownScores } from "../models/scoring/fixtures.ts";
import { darktableSidecar } from "../models/sidecars/sidecar-texts.ts";
import { acutanceIn } from "./acutance-in.ts";

let folder = "";
let model = "";
const acutance = acutanceIn(() => folder);
const score = (...words: string[]) => acutance("score", "--model", model, "--csv", ...words);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "acutance-xmp-"));
  const known = await knownScores(folder, 3);
  model = known.model;
  mkdirSync(join(folder, "small"));
  for (const [i, bytes] of known.pictures.entries()) writeFileSync(join(folder, `small/${i}.png`), bytes);
  writeFileSync(join(folder, "small/1.png.xmp"), darktableSidecar);
  writeFileSync(join(folder, "small/2.png.xmp"), "<broken");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("rows say what became of sidecars; a broken one stays, and the exit code is 1", () => {
  const dry = score("small", "--xmp", "--xmp-dry-run");
  expect(dry.stderr).toContain("sidecars: 1 would be created, 1 would be updated");
  expect(readdirSync(join(folder, "small"))).not.toContain("0.png.xmp");
  const { status, stdout, stderr } = score("small", "--xmp", "--xmp-bands", "1,2,3,4", "--xmp-labels", "a,b,c,d,e");
  expect(status).toBe(1);
  expect(stdout.split("\n")[0]).toContain(",sidecar,");
  const rows = stdout.trim().split("\n").slice(1);
  expect(rows[0]).toMatch(/created: \d star/);
  expect(rows[1]).toMatch(/updated: a person's 1 kept \(the score's are \d\)/);
  expect(rows[2]).toContain("is left as it is: it is no well-formed XML");
  expect(stderr).toContain(
    "sidecars: 1 created, 1 updated, 0 unchanged, 1 with a rating of a person that is kept, 1 could not be written",
  );
  expect(readFileSync(join(folder, "small/2.png.xmp"), "utf8")).toBe("<broken");
  const written = /xmp:Rating="(\d)"/.exec(readFileSync(join(folder, "small/0.png.xmp"), "utf8"))![1];
  expect(rows[0]).toContain(`created: ${written} star`);
});

test("pictures that are not chosen get no sidecar", () => {
  mkdirSync(join(folder, "chosen"));
  for (const i of [0, 1, 2]) copyFileSync(join(folder, `small/${i}.png`), join(folder, `chosen/${i}.png`));
  const { stdout, stderr } = score("chosen", "--xmp", "--best", "1");
  const [, row, ...others] = stdout.trim().split("\n");
  expect([row, others]).toEqual([expect.stringContaining("created: "), []]);
  expect(stderr).toContain("sidecars: 1 created, 0 updated");
  const sidecars = readdirSync(join(folder, "chosen")).filter((name) => name.endsWith(".xmp"));
  expect(sidecars).toEqual([`${row!.split(",")[0]!.split("/").at(-1)!}.xmp`]);
});

test.each([
  [["--xmp-bands", "20,40,60,80"], "--xmp-bands: give --xmp too"],
  [["--xmp", "--xmp-bands", "20,10,60,80"], "expected four ascending scores"],
  [["--xmp", "--xmp-labels", "Red,Green"], "expected five labels"],
  [["--xmp=digikam"], "expected darktable or lightroom"],
])("%j is refused", (words, says) => {
  const { status, stderr } = score("small", ...words);
  expect([status, stderr]).toEqual([2, expect.stringContaining(says)]);
});
