import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { supervised } from "../../models/methods/index.ts";
import { QualityNetwork, saveModel } from "../../models/networks/model.ts";
import { openScorer } from "../../models/scoring/scorer.ts";
import { sharedDevice } from "../engine/device.ts";
import { noisePictures } from "../models/scoring/fixtures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;

let folder = "";
const models = { classes: "", distribution: "", many: "", score: "" };
const inFolder = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-label-"));
  const heads = {
    classes: { head: "classes", levels: 5 },
    distribution: { levels: 4 },
    many: { levels: 20 },
    score: { head: "score" },
  } as const;
  for (const [name, own] of Object.entries(heads)) {
    const options = supervised.options({ stages: 1, embedding: 16, resize: 36, crop: 32, ...own });
    const model = new QualityNetwork(await sharedDevice(), options);
    models[name as keyof typeof heads] = inFolder(`${name}.safetensors`);
    await saveModel(inFolder(`${name}.safetensors`), model, { options, range: [0, 100], history: [], fresh: [] });
    model.dispose();
  }
  await mkdir(inFolder("pool/below"), { recursive: true });
  for (const [i, bytes] of (await noisePictures(5)).entries())
    await writeFile(inFolder(i < 3 ? `pool/${i}.png` : `pool/below/${i}, a.png`), bytes);
  await writeFile(inFolder("pool/broken.jpg"), "no picture");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Labels in the folder; --data pool and --out labels.csv unless given. */
function label(model: keyof typeof models, ...words: string[]) {
  const given = (flag: string, value: string) => (words.includes(flag) ? [] : [flag, value]);
  const all = ["--model", models[model], ...given("--data", "pool"), ...given("--out", `${model}.csv`), ...words];
  const { status, stderr } = spawnSync(process.execPath, [main, "label", ...all], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stderr };
}

/** Rows of a file by the names of its columns. */
async function rowsIn(name: string): Promise<Record<string, string>[]> {
  const [header, ...lines] = (await readFile(inFolder(name), "utf8")).trim().split("\n");
  const fields = (line: string) => [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, field]) => field!);
  const columns = header!.split(",");
  return lines.map((line) =>
    Object.fromEntries(columns.map((column, i) => [column, fields(line)[i]!.replace(/"/g, "")])),
  );
}

describe("acutance label", () => {
  test("a row for every picture of the folder, in order: class, probabilities that add up, the largest as confidence; a broken one has an error", async () => {
    const { status, stderr } = label("classes");
    expect([status, stderr]).toEqual([1, expect.stringContaining("5 of 6 pictures are labelled")]);
    const rows = await rowsIn("classes.csv");
    expect(rows.map(({ name }) => name)).toEqual([
      "0.png",
      "1.png",
      "2.png",
      "below/3, a.png",
      "below/4, a.png",
      "broken.jpg",
    ]);
    const columns = "name,score,low,high,class,confidence,p1,p2,p3,p4,p5,error,model";
    expect(Object.keys(rows[0]!).join()).toBe(columns);
    await using scorer = await openScorer({ model: models.classes });
    for (const row of rows.slice(0, 5)) {
      const own = await scorer.score(inFolder(`pool/${row["name"]}`));
      const shares = [1, 2, 3, 4, 5].map((i) => Number(row[`p${i}`]));
      expect(shares).toEqual([...own.histogram!]);
      expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(Number(row["confidence"])).toBe(Math.max(...shares));
      expect(shares.indexOf(Math.max(...shares))).toBe(Number(row["class"]));
      expect([row["score"], row["low"], row["high"], row["error"]]).toEqual([`${own.score}`, "0", "100", ""]);
    }
    expect(rows[0]!["model"]).toMatch(/^[0-9a-f]{12}$/);
    expect(rows[5]).toMatchObject({ score: "", confidence: "", error: expect.stringContaining("not a picture") });
  });

  test("a distribution has standard deviation and Eq. 8's confidence; more than 10 levels their probabilities when asked; a score nothing of it", async () => {
    expect(label("distribution").status).toBe(1);
    expect(label("many").status).toBe(1);
    expect(label("many", "--distribution", "--out", "all.csv").status).toBe(1);
    expect(label("score").status).toBe(1);
    const [first] = await rowsIn("distribution.csv");
    const shares = [1, 2, 3, 4].map((i) => Number(first![`p${i}`]));
    const entropy = -shares.reduce((sum, p) => sum + p * Math.log(p), 0);
    expect(Number(first!["confidence"])).toBeCloseTo(1 - entropy / Math.log(4), 5);
    expect(Object.keys((await rowsIn("many.csv"))[0]!).join()).toBe(
      "name,score,low,high,standardDeviation,confidence,error,model",
    );
    expect((await rowsIn("all.csv"))[0]).toHaveProperty("p20");
    expect(Object.keys((await rowsIn("score.csv"))[0]!).join()).toBe("name,score,low,high,error,model");
    const least = label("score", "--least-confidence", "0.5", "--out", "none.csv");
    expect([least.status, least.stderr]).toEqual([1, expect.stringContaining("--least-confidence 0.5: a network")]);
  });

  test("a file that is there is kept; --resume keeps its labels, mends a line that was cut, and tries errors again: the same file", async () => {
    const { stderr } = label("classes", "--data", "pool/below", "--out", "part.csv");
    expect(stderr).toContain("2 of 2 pictures are labelled");
    expect(label("classes", "--out", "whole.csv").status).toBe(1);
    const whole = await readFile(inFolder("whole.csv"), "utf8");
    const again = label("classes", "--out", "whole.csv");
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("go on with it by --resume")]);
    const lines = whole.split("\n");
    await writeFile(inFolder("whole.csv"), `${lines.slice(0, 3).join("\n")}\n${lines[3]!.slice(0, 20)}`);
    const resumed = label("classes", "--out", "whole.csv", "--resume");
    expect(resumed.stderr).toContain("5 of 6 pictures are labelled");
    expect(await readFile(inFolder("whole.csv"), "utf8")).toBe(whole);
    const other = label("distribution", "--out", "whole.csv", "--resume");
    expect([other.status, other.stderr]).toEqual([1, expect.stringContaining("has the columns")]);
    const tiled = label("classes", "--out", "whole.csv", "--resume", "--tiles", "2");
    expect([tiled.status, tiled.stderr]).toEqual([1, expect.stringContaining("labels of another model")]);
    expect(await readFile(inFolder("whole.csv"), "utf8")).toBe(whole);
    expect(label("distribution", "--out", "whole.csv", "--overwrite").status).toBe(1);
    expect((await rowsIn("whole.csv"))[0]).toHaveProperty("p4");
  });

  test("--least-confidence leaves out and counts, also when gone on with; --csv and --split choose", async () => {
    const all = (await rowsIn("classes.csv")).filter(({ error }) => error === "");
    const middle = all.map(({ confidence }) => Number(confidence)).toSorted()[2]!;
    const words = ["--out", "sure.csv", "--least-confidence", `${middle}`];
    expect(label("classes", ...words).stderr).toContain(
      `3 of 6 pictures are labelled, 2 left out below the confidence`,
    );
    const sure = await readFile(inFolder("sure.csv"), "utf8");
    expect(label("classes", ...words, "--resume").stderr).toContain("3 of 6 pictures are labelled");
    expect(await readFile(inFolder("sure.csv"), "utf8")).toBe(sure);
    await writeFile(inFolder("some.csv"), "name,mos\n2.png,3\n0.png,\nabsent.png,4\n");
    const chosen = label("classes", "--csv", "some.csv", "--out", "chosen.csv");
    expect([chosen.status, chosen.stderr]).toEqual([0, expect.stringContaining("absent.png")]);
    expect((await rowsIn("chosen.csv")).map(({ name }) => name)).toEqual(["2.png", "0.png"]);
    await writeFile(inFolder("split.csv"), "name,part\n0.png,test\n2.png,unlabelled\n");
    expect(label("classes", "--split", "split.csv", "--out", "split-out.csv").status).toBe(0);
    expect((await rowsIn("split-out.csv")).map(({ name }) => name)).toEqual(["2.png"]);
  });

  test("what cannot be is refused: no folder, no file, a place that cannot be written, a share beyond 1", async () => {
    expect(label("classes", "--data", "nowhere").stderr).toContain("nowhere");
    expect(label("classes", "--out", "nowhere/labels.csv").stderr).toContain("there is no folder nowhere");
    const wrong = label("classes", "--least-confidence", "1.5");
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("expected a number from 0 to 1")]);
    expect(label("classes", "--resume", "--overwrite").status).toBe(2);
    await writeFile(inFolder("own.csv"), "picture,grade\n0.png,3\n");
    await chmod(inFolder("own.csv"), 0o644);
    const foreign = label("classes", "--out", "own.csv", "--resume");
    expect([foreign.status, foreign.stderr]).toEqual([1, expect.stringContaining("has the columns picture, grade")]);
  });
});
