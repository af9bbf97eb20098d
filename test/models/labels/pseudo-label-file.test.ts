import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { normaliseMos } from "../../../models/labels/labels.ts";
import { loadPseudoLabels, type PseudoLabelOptions } from "../../../models/labels/pseudo-label-file.ts";
import { heads } from "../../../models/networks/heads.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-pseudo-"));
  await mkdir(join(folder, "elsewhere"));
  for (const name of ["a.png", "b.png", "c.png", "elsewhere/d.png"]) await writeFile(join(folder, name), name);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What is learned of a file with these lines; five classes on [0, 100] unless said otherwise. */
async function read(lines: readonly string[], options: Partial<PseudoLabelOptions> = {}) {
  const csv = join(folder, "labels.csv");
  await writeFile(csv, `${lines.join("\n")}\n`);
  return loadPseudoLabels({ csv, head: "classes", levels: 5, range: [0, 100], ...options });
}

const learned = async (lines: readonly string[], options: Partial<PseudoLabelOptions> = {}) =>
  (await read(lines, options)).rows.map(({ name, mos, label, weight }) => [name, mos, label, weight]);

const refusal = (lines: readonly string[], options: Partial<PseudoLabelOptions> = {}) =>
  read(lines, options).then(
    () => "taken",
    (error: Error) => error.message,
  );

const classes = [
  "name,score,low,high,class,confidence,p1,p2,p3,p4,p5,error,model",
  "a.png,80,0,100,4,0.5,0.0,0.1,0.1,0.3,0.5,,x",
  "b.png,20,0,100,0,0.25,0.75,0.25,0,0,0,,x",
  "c.png,,0,100,,,,,,,,it is broken,x",
];

describe("a file of labels", () => {
  test("of classes gives their probabilities and confidence; hard, the class alone; lines with an error are passed over", async () => {
    const found = await read(classes);
    expect([found.rows.length, found.failed, found.unsure]).toEqual([2, 1, 0]);
    const [a, b] = await learned(classes);
    expect(a!.slice(2)).toEqual([[0, 0.1, 0.1, 0.3, 0.5], 0.5]);
    // 10 · 0 + 30 · 0.1 + 50 · 0.1 + 70 · 0.3 + 90 · 0.5
    expect(a![1]).toBeCloseTo(74, 9);
    expect(b![1]).toBeCloseTo(15, 9);
    expect(await learned(classes, { target: "hard", weight: "one" })).toEqual([
      ["a.png", 90, [0, 0, 0, 0, 1], 1],
      ["b.png", 10, [1, 0, 0, 0, 0], 1],
    ]);
    expect((await learned(classes, { leastConfidence: 0.3 })).map(([name]) => name)).toEqual(["a.png"]);
    expect(await learned(classes, { head: "score", levels: 100 })).toEqual([
      ["a.png", 80, undefined, 0.5],
      ["b.png", 20, undefined, 0.25],
    ]);
    // Another kind of head learns the score.
    expect((await learned(classes, { head: "distribution", levels: 5 }))[0]).toEqual(["a.png", 80, undefined, 0.5]);
  });

  test("of a distribution gives its probabilities to a distribution, its class of the score to classes", async () => {
    const lines = ["name,score,standardDeviation,confidence,p1,p2,p3", "a.png,75,1,0.4,0,0.5,0.5"];
    const own = await learned(lines, { head: "distribution", levels: 3 });
    expect(own).toEqual([["a.png", expect.closeTo(75, 9), [0, 0.5, 0.5], 0.4]]);
    expect(await learned(lines)).toEqual([["a.png", 75, undefined, 0.4]]);
    expect(await learned(lines, { head: "distribution", levels: 100, target: "hard" })).toEqual([
      ["a.png", 75, undefined, 0.4],
    ]);
  });

  test("of another hand may have a name and a class, probabilities from p0 on, or a score", async () => {
    const one = { weight: "one" } as const;
    expect(await learned(["image;class", "elsewhere/d.png;2"], one)).toEqual([
      ["elsewhere/d.png", 50, [0, 0, 1, 0, 0], 1],
    ]);
    const shares = ["file,p0,p1,p2,p3,p4", "a.png,0.2,0.2,0.2,0.2,0.2"];
    expect(await learned(shares, one)).toEqual([["a.png", expect.closeTo(50, 9), Array(5).fill(0.2), 1]]);
    expect(await learned(["file,score", "a.png,12.5"], one)).toEqual([["a.png", 12.5, undefined, 1]]);
  });

  test("a class is learned as ratings of it are: with its neighbours when those are learned, too", async () => {
    const lines = ["name,class", "a.png,1"];
    const [row] = await learned(lines, { weight: "one", ordinal: 0.5 });
    const label = row![2] as number[];
    expect(label).toEqual([
      ...heads.classes.labels([normaliseMos(30, [0, 100])], { levels: 5, ordinal: 0.5 } as never),
    ]);
    expect(label[0]).toBeGreaterThan(0);
    expect(label[0]).toBeCloseTo(label[2]!, 6);
  });

  test("a score alone goes a little beyond the ends of its scale, and is taken back", async () => {
    const lines = ["name,score,low,high,error,model", "a.png,101.5,0,100,,x", "b.png,-0.5,0,100,,x"];
    const mos = (await learned(lines, { head: "score", weight: "one" })).map((row) => row[1]);
    expect(mos).toEqual([100, 0]);
  });

  test.each<[string, string[], Partial<PseudoLabelOptions>, string[]]>([
    [
      "an unknown class",
      ["name,class", "a.png,3", "b.png,7"],
      {},
      ['line 3: b.png: the class "7" is none', "0 (the lowest quality) to 4"],
    ],
    ["a word for a class", ["name,class", "a.png,good"], {}, ['line 2: a.png: the class "good" is none']],
    ["a class between two", ["name,class", "a.png,2.5"], {}, ['the class "2.5" is none']],
    ["a negative class", ["name,class", "a.png,-1"], {}, ['the class "-1" is none']],
    ["no class at all", ["name,class", "a.png,"], {}, ['the class "" is none']],
    [
      "probabilities that do not add up",
      ["name,class,p1,p2,p3,p4,p5", "a.png,4,.1,.1,.1,.1,.1"],
      {},
      ["line 2", "add up to 0.5"],
    ],
    ["a negative probability", ["name,class,p1,p2,p3,p4,p5", "a.png,4,-.5,.5,.5,.5,0"], {}, ['p1 "-.5"']],
    [
      "a probability that is none",
      ["name,class,p1,p2,p3,p4,p5", "a.png,4,x,.5,.5,0,0"],
      {},
      ['p1 "x" is not a number'],
    ],
    [
      "other classes",
      ["name,class,p1,p2,p3", "a.png,1,0,1,0"],
      {},
      ["3 probabilities (p1 to p3)", "5 classes; give levels 3"],
    ],
    ["other classes, hard", ["name,class,p1,p2,p3", "a.png,1,0,1,0"], { target: "hard" }, ["give levels 3"]],
    [
      "other levels",
      ["name,score,p1,p2,p3", "a.png,1,0,1,0"],
      { head: "distribution", levels: 20 },
      ["give levels 3, or target hard"],
    ],
    [
      "a missing picture",
      ["name,class", "gone.png,1"],
      {},
      ["line 2: gone.png: there is no such picture", "folder names another"],
    ],
    ["a picture twice", ["name,class", "a.png,1", "./a.png,2"], {}, ["line 3: ./a.png: it is already on line 2"]],
    [
      "nothing to learn",
      ["name,class", "a.png,1"],
      { head: "score" },
      ["head score learns: a column score; it has name, class"],
    ],
    ["no names", ["number,class", "1,1"], {}, ["recognised as the picture's file name"]],
    [
      "another scale",
      ["name,score,low,high", "a.png,3,1,5"],
      { head: "score" },
      ["scores from 1 to 5, the training is on [0, 100]"],
    ],
    [
      "a score outside",
      ["name,score", "a.png,101"],
      { head: "score" },
      ['the score "101" is not a number from 0 to 100'],
    ],
    ["a score that is none", ["name,score", "a.png,high"], { head: "score" }, ['the score "high"']],
  ])("with %s is refused", async (_, lines, options, parts) => {
    const message = await refusal(lines, { weight: "one", ...options });
    for (const part of parts) expect(message).toContain(part);
  });

  test("without confidence is refused where it is weighed or chosen by, and with one that is none", async () => {
    const without = ["name,class", "a.png,3"];
    expect(await refusal(without)).toContain(
      "no column confidence, which weight needs; weight one gives every label the same",
    );
    expect(await refusal(without, { weight: "one", leastConfidence: 0.5 })).toContain(
      "leastConfidence needs; leave it out",
    );
    for (const confidence of ["", "1.5", "-0.1", "sure"]) {
      expect(await refusal(["name,class,confidence", `a.png,3,${confidence}`])).toContain(
        `line 2: a.png: the confidence "${confidence}" is not a number from 0 to 1`,
      );
    }
    expect(await refusal(["name,class,confidence", "a.png,3,0"])).toContain("no label to learn from");
  });

  test("many faults are counted, and the folder may be another", async () => {
    const lines = ["name,class", ...Array.from({ length: 9 }, (_, i) => `gone${i}.png,1`)];
    expect(await refusal(lines, { weight: "one" })).toContain("and 4 lines more");
    const other = { weight: "one", folder: join(folder, "elsewhere") } as const;
    expect(await learned(["name,class", "d.png,0"], other)).toEqual([["d.png", 10, [1, 0, 0, 0, 0], 1]]);
  });
});
