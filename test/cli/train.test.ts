import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { methodOptions } from "../../cli/method-flags.ts";
import { cpl } from "../../models/methods/cpl/index.ts";
import { blurredPictures } from "../models/training/pictures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
let folder = "";

/** Runs the command line in a process of its own, as a user does. */
function acutance(args: string[], interruptAt?: RegExp): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: folder });
    let out = "";
    let err = "";
    let sent = false;
    child.stdout.on("data", (text) => {
      out += text;
    });
    child.stderr.on("data", (text) => {
      err += text;
      if (interruptAt?.test(err) && !sent) sent = child.kill("SIGINT");
    });
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const method =
  "--stages 1 --embedding 16 --levels 20 --resize 36 --crop 32 --stage-one-batch 8 --labelled-batch 4 --unlabelled-batch 8 --neighbours 5".split(
    " ",
  );
const data = ["--data", "pictures", "--csv", "scores.csv", "--range", "0:100"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-cli-"));
  const rows = await blurredPictures(join(folder, "pictures"), 30);
  await writeFile(join(folder, "pictures", "broken.jpg"), "no picture");
  const lines = [...rows.map(({ name, mos }) => `${name};${mos}`), "broken.jpg;10", "absent.png;20", "0.png;x"];
  await writeFile(join(folder, "scores.csv"), `image_name;MOS\n${lines.join("\n")}\n`);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a user trains, evaluates and scores", () => {
  test("train cpl reports what it left out, prints results and leaves models, record, split and report", async () => {
    const { code, out, err } = await acutance([
      "train",
      "cpl",
      ...data,
      ...method,
      "--stage-one-epochs",
      "3",
      "--stage-two-epochs",
      "1",
      "--out",
      "run",
    ]);
    expect(err).toContain("left out: absent.png");
    expect(err).toContain("left out: broken.jpg");
    expect(code).toBe(0);
    for (const word of ["stage 1", "stage 2", "constant predictor", "SRCC", "stage 2 label step", "device memory"])
      expect(out).toContain(word);
    const record = JSON.parse(await readFile(join(folder, "run", "run.json"), "utf8"));
    expect(record.parts).toEqual({ labelled: 6, unlabelled: 18, test: 6 });
    expect(record.options).toMatchObject({ stages: 1, levels: 20, gamma: 0.99, labelMode: "adjacent" });
    expect(await readFile(join(folder, "run", "report.html"), "utf8")).toContain("</html>");
  });

  test("evaluate on the test part of the split gives the numbers of the training run", async () => {
    const { code, out } = await acutance([
      "evaluate",
      "--model",
      "run/model.safetensors",
      ...data,
      "--split",
      "run/split.csv",
      "--json",
    ]);
    expect(code).toBe(0);
    const record = JSON.parse(await readFile(join(folder, "run", "run.json"), "utf8"));
    const trained = record.results.find((result: { name: string }) => result.name === "stage 2").evaluation;
    const found = JSON.parse(out);
    expect(found).toMatchObject({ n: 6, srcc: trained.srcc });
    expect(found.plcc).toBeCloseTo(trained.plcc, 9);
  });

  test("a second training into the folder is refused, and a split that is not the model's", async () => {
    const words = ["train", "cpl", ...data, ...method, "--stage-one-epochs", "1", "--stage-two-epochs", "0"];
    const again = await acutance([...words, "--out", "run", "--split-seed", "2"]);
    expect(again.code).toBe(1);
    expect(again.err).toContain("run holds a run already");
    expect(again.err).toContain("--overwrite");
    expect(again.err).not.toContain("checking pictures");
    expect((await acutance([...words, "--out", "other", "--split-seed", "2"])).code).toBe(0);
    const replaced = await acutance([...words, "--out", "other", "--split-seed", "3", "--overwrite"]);
    expect(replaced.code).toBe(0);
    const record = JSON.parse(await readFile(join(folder, "other", "run.json"), "utf8"));
    const split = await readFile(join(folder, "other", "split.csv"), "utf8");
    expect(split.split("\n")[1]!.endsWith(`,${record.run}`)).toBe(true);
    const evaluation = ["evaluate", "--model", "run/model.safetensors", ...data, "--split"];
    const refused = await acutance([...evaluation, "other/split.csv"]);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`other/split.csv belongs to the run ${record.run}, run/model.safetensors to the run`);
    const asked = await acutance([...evaluation, "other/split.csv", "--any-split"]);
    expect(asked.code).toBe(0);
    expect(asked.err).toContain("note: other/split.csv belongs to the run");
    const old = split.split("\n").map((line) => line.slice(0, line.lastIndexOf(",")));
    await writeFile(join(folder, "old-split.csv"), old.join("\n"));
    const noted = await acutance([...evaluation, "old-split.csv"]);
    expect(noted.code).toBe(0);
    expect(noted.err).toContain("old-split.csv does not say which run it belongs to");
  });

  test("evaluate warns of another scale, and not where the scale is only what was found in the CSV", async () => {
    const words = ["evaluate", "--model", "run/model.safetensors", "--data", "pictures", "--csv", "scores.csv"];
    expect((await acutance(words)).out).not.toContain("compare different scales");
    expect((await acutance([...words, "--range", "-10:200"])).out).toContain("compare different scales");
  });

  test("classes: train and evaluate print them beside the constant predictors, and evaluate says what the run's record does", async () => {
    const network = "--stages 1 --embedding 16 --resize 36 --crop 32 --batch 8 --epochs 1 --head classes --levels 3";
    const trained = await acutance(["train", "supervised", ...data, ...network.split(" "), "--out", "classed"]);
    expect(trained.code).toBe(0);
    const [own] = JSON.parse(await readFile(join(folder, "classed", "run.json"), "utf8")).classes;
    expect(own.evaluation).toMatchObject({ n: 6, classes: [{}, {}, {}] });
    expect(trained.out).toContain("MAE, classes 1 and 2 together");
    expect(trained.out).toContain(`always ${own.mostFrequent} (most labelled)`);
    const verdict = /(beats every constant predictor|does not beat always answering class \d): MAE \d\.\d{3}/;
    expect(trained.out).toMatch(verdict);
    const words = ["evaluate", "--model", "classed/model.safetensors", ...data, "--split", "classed/split.csv"];
    expect((await acutance(words)).out).toMatch(verdict);
    const { classes } = JSON.parse((await acutance([...words, "--json"])).out);
    expect(classes).toEqual({ ...own, name: "the model" });
    const whole = JSON.parse((await acutance([...words.slice(0, -2), "--json"])).out).classes;
    expect(whole.evaluation.n).toBe(30);
    expect(whole).not.toHaveProperty("mostFrequent");
  });

  test("--extra-labels: rated pictures of another folder join the parts, and one that is there already is refused", async () => {
    await mkdir(join(folder, "extra"), { recursive: true });
    for (const i of [3, 4, 5])
      await sharp(join(folder, "pictures", `${i}.png`))
        .flop()
        .toFile(join(folder, "extra", `${i}.png`));
    const header = "name,mos,set\n";
    await writeFile(join(folder, "extra", "own.csv"), `${header}3.png,80,\n4.png,70,test\n5.png,101,\n`);
    const lines = Array.from({ length: 30 }, (_, i) => `${i}.png,${100 - 3 * i},${["training", "test"][i % 2]}`);
    await writeFile(join(folder, "halves.csv"), `${header}${lines.join("\n")}\n`);
    const network = "--stages 1 --embedding 16 --resize 36 --crop 32 --batch 8 --epochs 1 --head classes".split(" ");
    const parts = ["--data", "pictures", "--csv", "halves.csv", "--range", "0:100", "--split-column", "set"];
    const words = ["train", "supervised", ...parts, "--protocol", "official", "--ratio", "4:1", ...network];
    const { code, err } = await acutance([...words, "--extra-labels", "extra/own.csv", "--out", "extra-run"]);
    expect(err).toContain("16 labelled, 0 unlabelled, 16 test pictures");
    expect(err).toContain("101");
    expect(code).toBe(0);
    const split = await readFile(join(folder, "extra-run", "split.csv"), "utf8");
    expect(split).toMatch(/extra\/3\.png,labelled/);
    expect(split).toMatch(/extra\/4\.png,test/);
    const twice = await acutance([...words, "--extra-labels", "pictures/../scores.csv", "--out", "extra-twice"]);
    expect(twice.err).toContain(
      "--extra-labels rates 0.png, which is in --data, itself or as a copy; leave its line out of",
    );
    expect(twice.code).toBe(1);
    await copyFile(join(folder, "pictures", "7.png"), join(folder, "extra", "other-name.png"));
    await writeFile(join(folder, "extra", "copies.csv"), `${header}other-name.png,80,\n`);
    const copied = await acutance([...words, "--extra-labels", "extra/copies.csv", "--out", "extra-copied"]);
    expect(copied.err).toContain("--extra-labels rates other-name.png, which is in --data, itself or as a copy");
    expect(copied.code).toBe(1);
    expect((await acutance([...words, "--extra-labels", "extra/none.csv"])).err).toContain("none.csv");
  });

  test("sensitivity says the range and direction of its scores", async () => {
    const words = ["--model", "run/model.safetensors", "--data", "pictures", "--kinds", "gaussian-blur"];
    const { out } = await acutance(["sensitivity", ...words]);
    expect(out).toContain("pictures on [0, 100], higher is better");
    expect(out).toMatch(/gaussian-blur .* \d+\.\d /);
  });

  test("the authors' split is kept, and a validation part is held out and reported", async () => {
    const lines = Array.from(
      { length: 30 },
      (_, i) => `${i}.png,${100 - 3 * i},${["training", "training", "test"][i % 3]}`,
    );
    await writeFile(join(folder, "parts.csv"), `name,mos,set\n${lines.join("\n")}\n`);
    const split = ["--protocol", "official", "--ratio", "1:1:1", "--validation-share", "0.4", "--split-column", "set"];
    const epochs = ["--stage-one-epochs", "1", "--stage-two-epochs", "0", "--out", "official"];
    const parts = ["--data", "pictures", "--csv", "parts.csv", "--range", "0:100"];
    const { code, out, err } = await acutance(["train", "cpl", ...parts, ...split, ...method, ...epochs]);
    expect(code).toBe(0);
    expect(err).toContain("6 labelled, 10 unlabelled, 4 validation, 10 test pictures");
    expect(out).toContain("stage 1, validation");
    const record = JSON.parse(await readFile(join(folder, "official", "run.json"), "utf8"));
    expect(record.parts).toEqual({ labelled: 6, unlabelled: 10, validation: 4, test: 10 });
    const [validation] = record.results;
    expect(validation).toMatchObject({ name: "stage 1, validation", part: "validation", evaluation: { n: 4 } });
    expect(record.predictions.map(({ name }: { name: string }) => Number.parseInt(name, 10) % 3)).toEqual(
      Array(10).fill(2),
    );
    const model = ["--model", "official/stage1.safetensors", "--split", "official/split.csv", "--part", "validation"];
    const again = JSON.parse((await acutance(["evaluate", ...model, ...parts, "--json"])).out);
    expect(again).toMatchObject({ n: 4, srcc: validation.evaluation.srcc });
    expect(again.rmse).toBeCloseTo(validation.evaluation.rmse, 9);
  });

  test("classes by quantile: evaluate and score tell those of the training", async () => {
    const words = "--classes-by quantile --head classes --levels 2 --epochs 1 --batch 4 --out quantile".split(" ");
    const network = method.slice(0, method.indexOf("--stage-one-batch"));
    const { out, err, code } = await acutance(["train", "supervised", ...data, ...network, ...words]);
    expect(err).toContain("quantiles of the labelled pictures");
    expect(code).toBe(0);
    const record = JSON.parse(await readFile(join(folder, "quantile", "run.json"), "utf8"));
    const [edge] = record.options.classEdges as [number];
    const above = record.predictions.filter(({ mos }: { mos: number }) => 1 + 0.99 * mos > edge);
    expect(record.classes[0].evaluation.classes[1].n).toBe(above.length);
    expect(out).toContain("always answering class");
    const model = ["--model", "quantile/model.safetensors", "--split", "quantile/split.csv", "--json"];
    const again = JSON.parse((await acutance(["evaluate", ...model, ...data])).out);
    expect(again.classes.evaluation).toEqual(record.classes[0].evaluation);
    expect(again.classes.mostFrequent).toBe(record.classes[0].mostFrequent);
  });

  test("a fold is tested on, with its share of every class", async () => {
    const words = "--protocol folds --folds 3 --fold 2 --strata 2 --ratio 1:1:1 --out fold --stage-two-epochs 0".split(
      " ",
    );
    const { err, code } = await acutance(["train", "cpl", ...data, ...method, "--stage-one-epochs", "1", ...words]);
    expect(err).toContain("10 labelled, 10 unlabelled, 10 test pictures");
    expect(code).toBe(0);
    const rows = (await readFile(join(folder, "fold", "split.csv"), "utf8")).trim().split("\n").slice(1);
    const high = (part: string) =>
      rows.filter((row) => row.includes(`,${part},`) && Number(row.split(",")[2]) > 50).length;
    const all = rows.filter((row) => Number(row.split(",")[2]) > 50).length;
    for (const part of ["labelled", "unlabelled", "test"]) expect(Math.abs(high(part) - all / 3)).toBeLessThan(1);
  });

  test("degrade --ranked and train --ranked: copies of test pictures are left out, counted in log, record and page", async () => {
    const degraded = await acutance("data degrade pictures --out ranked --ranked --toned 0.5 --seed 3".split(" "));
    expect(degraded.err).toContain("left out: broken.jpg");
    const epochs = "--stage-one-epochs 1 --stage-two-epochs 1 --rank-pairs 4".split(" ");
    const words = ["train", "cpl", ...data, ...method, ...epochs, "--ranked", "ranked", "--out", "with-ranks"];
    const { code, err } = await acutance(words);
    expect(code).toBe(0);
    expect(err).toContain("24 ranked sets of copies (6 of validation or test pictures left out)");
    const record = JSON.parse(await readFile(join(folder, "with-ranks", "run.json"), "utf8"));
    expect(record.parts).toEqual({ labelled: 6, ranked: 24, unlabelled: 18, test: 6 });
    expect(await readFile(join(folder, "with-ranks", "report.html"), "utf8")).toContain(
      "24 ranked sets of degraded copies",
    );
    const wrong = await acutance([...words.slice(0, -4), "--ranked", "pictures"]);
    expect([wrong.code, wrong.err.includes("no folder of degraded copies")]).toEqual([1, true]);
  });

  test("score takes files, folders and globs; a broken picture is a row and an exit code", async () => {
    const json = await acutance([
      "score",
      "--model",
      "run/model.safetensors",
      "pictures/1*.png",
      "pictures/2.png",
      "--json",
    ]);
    expect(json.code).toBe(0);
    const { pictures, range, direction } = JSON.parse(json.out);
    expect(pictures).toHaveLength(12);
    expect({ range, direction }).toEqual({ range: [0, 100], direction: "higher is better" });
    for (const { score, standardDeviation, confidence } of pictures) {
      expect(score).toBeWithin(0, 100.001);
      expect(standardDeviation).toBeGreaterThanOrEqual(0);
      expect(confidence).toBeWithin(0, 1.000001);
    }
    const whole = await acutance(["score", "--model", "run/model.safetensors", "pictures", "--csv", "--sort"]);
    expect(whole.code).toBe(1);
    expect(whole.out.trim().split("\n")).toHaveLength(32);
    expect(whole.err).toContain("1 of 31 pictures could not be scored");
    const table = await acutance(["score", "--model", "run/model.safetensors", "pictures/3.png"]);
    expect(table.out).toContain("score (0-100)");
    const tiled = await acutance([
      "score",
      "--model",
      "run/model.safetensors",
      "pictures/2.png",
      "--json",
      "--tiles",
      "4",
    ]);
    expect(JSON.parse(tiled.out).pictures[0].score).not.toBe(
      pictures.find(({ path }: { path: string }) => path.endsWith("/2.png")).score,
    );
  });

  test("without a test part, and of pictures without labels, it is said why there are no results", async () => {
    const short = ["--epochs", "1", "--head", "score", "--embedding", "0"];
    const shape = method.slice(0, method.indexOf("--stages") + 2);
    const words = ["train", "supervised", ...data, ...shape, ...short, "--resize", "36", "--crop", "32"];
    const all = await acutance([...words, "--ratio", "1:0", "--out", "all"]);
    expect(all).toMatchObject({ code: 0 });
    expect(all.out).toContain("there is no test part, so nothing was tested; give a --ratio that leaves one");
    expect(all.out).not.toContain("SRCC");
    const kinds = [
      "--kinds",
      "white-noise,mean-shift",
      "--crop",
      "32",
      "--region",
      "32",
      "--batch",
      "4",
      "--degraded",
      "1",
    ];
    const scnn = await acutance([
      "train",
      "dbcnn-scnn",
      "--unlabelled",
      "pictures",
      ...kinds,
      "--epochs",
      "1",
      "--out",
      "scnn",
    ]);
    expect(scnn).toMatchObject({ code: 0 });
    expect(scnn.out).toContain("learnt from pictures alone: there are no ratings to test on");
    const wrong = await acutance(["train", "dbcnn-scnn", "--unlabelled", "pictures", "--kinds", "blurr"]);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('there is no "blurr"; choose of gaussian-blur, ');
  });

  test("Ctrl-C leaves a checkpoint, --resume ends with the models of an uninterrupted run", async () => {
    const flags = [...data, ...method, "--stage-one-epochs", "3", "--stage-two-epochs", "1"];
    const stopped = await acutance(["train", "cpl", ...flags, "--out", "stopped"], /start fresh/);
    expect(stopped.err).toContain("continue with: acutance train cpl --resume stopped");
    expect(stopped.code).not.toBe(0);
    const resumed = await acutance(["train", "cpl", "--resume", "stopped"]);
    expect(resumed.code).toBe(0);
    const hash = async (run: string) =>
      new Bun.CryptoHasher("sha256").update(await readFile(join(folder, run, "model.safetensors"))).digest("hex");
    expect(await hash("stopped")).toBe(await hash("run"));
  });
});

describe("wrong usage", () => {
  test.each([
    [["train", "cpl"], 2, "--data and --csv are needed"],
    [["train", "cpl", "--data", "pictures", "--csv", "nothing.csv"], 1, "nothing.csv"],
    [["train", "cpl", ...data, "--gamma", "1"], 1, "--gamma 1: "],
    [["train", "cpl", ...data, "--gamma", "much"], 2, "--gamma"],
    [["train", "cpl", ...data, "--ratio", "1:0:3"], 1, "such as 1:1:1"],
    [["train", "cpl", ...data, "--protocol", "official"], 1, "belongs to no part; name the split column"],
    [["train", "supervised", ...data, "--classes-by", "quantile"], 1, "give --head classes"],
    [["train", "supervised", ...data, "--head", "classes", "--class-edges", "20,50"], 1, "give 4 edges, or --levels 3"],
    [
      ["train", "supervised", ...data, "--head", "classes", "--classes-by", "histogram"],
      1,
      "give --classes-by width or quantile",
    ],
    [["train", "cpl", ...data, "--fold", "2"], 1, "--fold is for --protocol folds, got --protocol random"],
    [["train", "cpl", ...data, "--protocol", "folds", "--fold", "6"], 1, "--fold 6 is none of --folds 5"],
    [["train", "cpl", ...data, "--strata", "20"], 1, "fewer classes with --strata"],
    [["train", "cpl", ...data, "--validation-share", "1"], 2, "from 0 to below 1"],
    [["train", "cpl", "--data", "pictures", "--csv", "scores.csv", "--range", "9:1"], 2, "such as 0:100"],
    [["train", "cpl", ...data, ...method, "--init", "scores.csv"], 1, "scores.csv"],
    [["score"], 2, "pictures"],
    [["score", "--model", "scores.csv", "pictures/1.png"], 1, "scores.csv"],
    [["score", "--model", "scores.csv", "pictures/1.png", "--tiles", "0"], 2, "whole number of at least 1"],
    [["train", "cpl", ...data, "--label-mode", "onehot5"], 1, "give --levels 5"],
    [["train", "cpl", ...data, "--test-tiles", "9", "--test-crops", "5"], 1, "give one"],
    [["score", "--model", "none.safetensors", "nothing-*.png"], 1, "no picture"],
    [["evaluate", "--model", "x"], 2, "--data and --csv are needed"],
  ])("%j", async (args, expectedCode, message) => {
    const { code, err } = await acutance(args as string[]);
    expect(err).toContain(message as string);
    expect(code).toBe(expectedCode as number);
    expect(err).not.toContain("    at ");
  });

  test("an option that is off unless given is a flag without a value", async () => {
    const args = ["train", "adamatch", "--data", ".", "--csv", "none.csv", "--range", "0:100"];
    const { code, err } = await acutance([...args, "--logit-interpolation", "--backbone", "vit_tiny_patch16_224"]);
    expect(code).not.toBe(0);
    expect(err).toContain("--logit-interpolation: vit_tiny_patch16_224 has no batch norm");
  });

  test("flags become options of the method", () => {
    expect(
      methodOptions(cpl, { gamma: "0.5", flip: false, rangeOfLabels: "observed", stageOneEpochs: "7", ema: "0.99" }),
    ).toMatchObject({
      gamma: 0.5,
      flip: false,
      range: "observed",
      stageOneEpochs: 7,
      ema: 0.99,
    });
  });
});
