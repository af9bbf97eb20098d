import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPredictions } from "../../../models/trust/predictions.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-predictions-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;
async function file(text: string): Promise<string> {
  const path = join(folder, `${files++}.csv`);
  await writeFile(path, text);
  return path;
}

test.each([
  ["with all columns", "name,score,spread,mos\na.jpg,40.5,9,38\nb.jpg,70,8,75.25\n"],
  [
    "of `acutance evaluate`",
    "name,mos,score,standardDeviation,confidence\na.jpg,38,40.5,9,0.2\nb.jpg,75.25,70,8,0.1\n",
  ],
  ["of a spreadsheet", "Name;Score;MOS\r\na.jpg;40,5;38\r\nb.jpg;70;75,25\r\n"],
  ["without names", "score\tmos\n40.5\t38\n70\t75.25\n"],
])("predictions %s are read", async (_, text) => {
  expect(await readPredictions(await file(text), [0, 100])).toEqual([
    { score: 40.5, mos: 38 },
    { score: 70, mos: 75.25 },
  ]);
});

test.each([
  ["name,score,truth\na,1,2\n", 'has no column "mos"; it needs score and mos, and has name, score, truth'],
  ["name,mos\na,1\n", 'has no column "score"'],
  ["name,score,mos\na,1,2\nb,NaN,3\n", 'line 3 (b): score is "NaN", no number'],
  ["name,score,mos\na,1,\n", 'line 2 (a): mos is "", no number'],
  ["name,score,mos\na,1,2\na,1,2\n", "line 3 (a): the picture is in line 2 already"],
  ["name,score,mos\na,1,200\n", "line 2 (a): the MOS 200 lies beyond the model's scale, 0 to 100"],
])("predictions %j are refused by file and line", async (text, message) => {
  const path = await file(text);
  const error = await readPredictions(path, [0, 100]).then(String, (thrown: Error) => thrown.message);
  expect(error).toStartWith(path);
  expect(error).toContain(message);
});

test("a file that is not there is named", async () => {
  await expect(readPredictions(join(folder, "none.csv"), [0, 100])).rejects.toThrow("none.csv");
});
