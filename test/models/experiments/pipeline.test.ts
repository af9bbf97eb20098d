import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Experiment,
  type ExperimentHooks,
  ExperimentInterrupted,
  findRecipe,
  runExperiment,
  variantsOf,
} from "../../../models/experiments/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { recipeOf, writePictures } from "./recipe.ts";

let folder = "";
let data: Awaited<ReturnType<typeof writePictures>>;
let pool: Awaited<ReturnType<typeof writePictures>>;
const device = await sharedDevice();
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-pipeline-"));
  data = await writePictures(at("pictures"), 25);
  pool = await writePictures(at("pool"), 12);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const network = { stages: 1, embedding: 16, resize: 36, crop: 32, head: "classes", epochs: 1 };
const taught = { name: "taught", method: "supervised", batch: 8, labelledBy: "teacher" };
const teacher = { name: "teacher", method: "fixmatch", labelledBatch: 4, unlabelledBatch: 4 };

/** A teacher, and a network that learns what it says of the pool. */
const pipeline = (more: object = {}, vary: readonly object[] = [teacher, taught]) =>
  recipeOf({
    data,
    unlabelled: { pool: { folder: pool.folder } },
    seeds: [1],
    base: { ...network, ratio: "4:1", moreUnlabelled: ["pool"], ...more },
    vary,
  });

describe("a variant that learns the labels of another", () => {
  test("follows it, learns from all, and both are reported; a pipeline that was stopped ends with the same", async () => {
    const labels: number[] = [];
    const progress: ExperimentHooks["progress"] = (label, total) => {
      if (label.endsWith("labelling")) labels.push(total);
      return { advance: () => {}, stop: () => {} };
    };
    const { record, failed } = await runExperiment(pipeline(), at("whole"), device, { progress });
    // The first picture of the pool is a copy of a test picture.
    expect([failed, labels]).toEqual([0, [11]]);
    const [first, second] = record.variants.map(({ runs }) => runs[0]!);
    expect([first!.status, second!.status]).toEqual(["finished", "finished"]);
    expect(second!.results.map(({ part }) => part)).toEqual(["test"]);
    expect(second!.notes).toContain('11 unlabelled pictures are labelled by "teacher"');
    const at0 = (store: string, run: typeof second, file: string) => join(at(store), run!.trainings[0]!.folder, file);
    const card = await readFile(at0("whole", second, "model.safetensors"), "latin1");
    expect(card).toContain("supervised: 20 labelled, 11 pseudo-labelled pictures");
    const lines = (await readFile(at0("whole", second, "labels.csv"), "utf8")).trim().split("\n");
    expect(lines).toHaveLength(12);
    expect(lines[1]).toStartWith("pool/1.png,");
    // Stopped while the pool is labelled, and again after a step of the training that learns the labels.
    for (const place of ["labelling", "supervised"]) {
      const stop = new AbortController();
      const stopping: ExperimentHooks["progress"] = (label) => ({
        advance: () => {
          if (label.includes("taught") && label.endsWith(place)) stop.abort(new Error("enough"));
        },
        stop: () => {},
      });
      const stopped = runExperiment(pipeline(), at("stopped"), device, { progress: stopping, signal: stop.signal });
      await expect(stopped).rejects.toBeInstanceOf(ExperimentInterrupted);
    }
    const again = await runExperiment(pipeline(), at("stopped"), device, {});
    const resumed = again.record.variants.map(({ runs }) => runs[0]!);
    expect(resumed.map(({ results }) => results)).toEqual([first!.results, second!.results]);
    const models = [at0("whole", second, "model.safetensors"), at0("stopped", resumed[1], "model.safetensors")];
    const [one, two] = await Promise.all(models.map((path) => readFile(path)));
    expect(two).toEqual(one!);
    const cached = await runExperiment(pipeline(), at("whole"), device, {});
    expect(cached.record.variants.map(({ runs }) => runs[0]!.trainings[0]!.cached)).toEqual([true, true]);
  });

  test("may stand before it, has a key by it, and by how its labels are learned", async () => {
    const keyOf = async (more: object, vary: readonly object[] = [taught, teacher]) => {
      using experiment = await Experiment.open(pipeline(more, vary), at("keys"), device, {});
      return experiment.plan.runs.find(({ variant }) => variant.name === "taught")!.trainings[0]!.key;
    };
    const keys = [
      await keyOf({}),
      await keyOf({}, [taught, { ...teacher, threshold: 0.5 }]),
      await keyOf({}, [{ ...taught, labelWeight: "one" }, teacher]),
      await keyOf({}, [{ ...taught, labelTarget: "hard" }, teacher]),
      await keyOf({}, [{ ...taught, leastConfidence: 0.1 }, teacher]),
      await keyOf({}, [{ ...taught, labelledBy: "" }, teacher]),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(await keyOf({}, [teacher, taught])).toBe(keys[0]!);
  });

  test("is refused before training where there is no such variant, nothing to label, or what it cannot learn", async () => {
    const opened = (more: object, vary?: readonly object[]) =>
      Experiment.open(pipeline(more, vary), at("refused"), device, {}).then(
        (experiment) => experiment[Symbol.dispose](),
        (error: Error) => error.message,
      );
    const other = (more: object) => [teacher, { ...taught, ...more }];
    expect(await opened({}, other({ labelledBy: "nobody" }))).toContain(
      "there is no such variant; there are: teacher; taught",
    );
    expect(await opened({}, other({ labelledBy: "taught" }))).toContain("no variant can be labelled by itself");
    const circle = [{ ...teacher, labelledBy: "taught" }, taught];
    expect(await opened({}, circle)).toContain("no variant can be labelled by itself");
    expect(await opened({}, other({ moreUnlabelled: [] }))).toContain("there are no unlabelled pictures");
    expect(await opened({}, other({ levels: 4 }))).toContain('levels 4: "teacher" tells 5 classes; give levels 5');
    const scores = { ...taught, name: "teacher", labelledBy: "", head: "score", loss: "l1" };
    expect(await opened({}, [scores, taught])).toContain('give labelWeight "one"');
    expect(await opened({}, [scores, { ...taught, labelWeight: "one" }])).toBeUndefined();
  });
});

test("koka10k: a semi-supervised network, one on its labels too, and one without, with the same network and parts", async () => {
  const variants = variantsOf(await findRecipe("koka10k"));
  expect(variants.map(({ settings }) => [settings.method, settings.labelledBy])).toEqual([
    ["supervised", ""],
    ["freematch", ""],
    ["supervised", "semi-supervised"],
  ]);
  const shared = ["backbone", "head", "levels", "protocol", "ratio", "resize", "crop", "rate", "layerDecay"] as const;
  for (const name of shared) expect(new Set(variants.map(({ settings }) => settings[name])).size).toBe(1);
});
