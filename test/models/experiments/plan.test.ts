import { describe, expect, test } from "bun:test";
import type { Device } from "../../../engine/device/device.ts";
import { repeatsOf, variantsOf } from "../../../models/experiments/expand.ts";
import { canonicalJson, trainingKey } from "../../../models/experiments/key.ts";
import { dataOf, dataOfPhase, type OpenedSources, partSizes } from "../../../models/experiments/plan.ts";
import { adapterOf } from "../../../models/experiments/runner.ts";
import { optionsOf } from "../../../models/experiments/settings.ts";
import type { OpenedSource } from "../../../models/experiments/sources.ts";
import { cpl } from "../../../models/methods/cpl/index.ts";
import type { CplOptions } from "../../../models/methods/cpl/options.ts";
import { classOfMos } from "../../../models/training/class-results.ts";
import { phaseOptions } from "../../../models/training/phase-options.ts";
import { recipeOf } from "./recipe.ts";

const rowsOf = (count: number, more = {}) =>
  Array.from({ length: count }, (_, i) => ({
    name: `${i}.png`,
    path: `/${i}.png`,
    sha256: `hash ${i}`,
    mos: (100 * i) / count,
    ...more,
  }));

const opened = (rows: OpenedSource["rows"], grouped = false, ranked: OpenedSource["ranked"] = []): OpenedSource => ({
  rows,
  ranked,
  grouped,
  problems: [],
  warnings: [],
  excluded: 0,
});

const sources = {
  data: opened(rowsOf(100)),
  range: [0, 100] as const,
  unlabelled: new Map([
    ["more", opened(rowsOf(7, { mos: 4, group: "g" }).map((row) => ({ ...row, sha256: `other ${row.name}` })))],
  ]),
};

const repeat = { split: 1, training: 1 };

function dataWith(
  changes: Record<string, unknown>,
  from: Pick<OpenedSources, "data" | "range" | "unlabelled"> = sources,
) {
  const recipe = recipeOf({ unlabelled: { more: { folder: "/more" } }, base: { ratio: "1:3:1", ...changes } });
  const { data, noisy, notes } = dataOf(variantsOf(recipe)[0]!, repeat, from);
  const { labelled, unlabelled, validation, test } = data;
  return { ...data, noisy, notes, sizes: [labelled.length, unlabelled.length, validation.length, test.length] };
}

/** A ranked set of copies of every picture of the data set, and of one that is none of it. */
const ranked = {
  ...sources,
  data: opened(
    rowsOf(100),
    false,
    [...rowsOf(100).map(({ name }) => name), "other.png"].map((source) => ({
      source,
      pictures: [0, 2, 3].map((level) => ({
        ...{ name: `ranked/${level}-${source}`, path: `/${level}-${source}`, sha256: `copy ${level} of ${source}` },
        level,
      })),
    })),
  ),
};

const names = (rows: readonly { name: string }[]) => rows.map(({ name }) => name);

describe("the parts of a run", () => {
  test.each([
    [{}, [20, 60, 0, 20]],
    [{ labelledShare: 0.25 }, [5, 60, 0, 20]],
    [{ labelledShare: 0.25, remainder: "unlabelled" }, [5, 75, 0, 20]],
    [{ unlabelledShare: 0.5 }, [20, 30, 0, 20]],
    [{ unlabelledShare: 0, moreUnlabelled: ["more"] }, [20, 7, 0, 20]],
    [{ validationShare: 0.2 }, [16, 60, 4, 20]],
    [{ ratio: "4:1" }, [80, 0, 0, 20]],
  ])("%j", (changes, expected) => {
    expect(dataWith(changes).sizes).toEqual(expected);
  });

  test("the test part is the same whatever is varied", () => {
    const plain = names(dataWith({}).test);
    for (const changes of [{ labelledShare: 0.5 }, { unlabelledShare: 0.5 }, { labelNoise: { mean: 5, sd: 5 } }]) {
      expect(names(dataWith(changes).test)).toEqual(plain);
    }
  });

  test("noise changes labelled pictures alone", () => {
    const [clean, noisy] = [dataWith({}), dataWith({ labelNoise: { mean: 0, sd: 10 }, validationShare: 0 })];
    expect(names(noisy.labelled)).toEqual(names(clean.labelled));
    expect(noisy.noisy).toBeGreaterThan(15);
    expect(clean.noisy).toBe(0);
    expect(noisy.labelled.every(({ mos }) => mos >= 0 && mos <= 100)).toBe(true);
    for (const part of ["unlabelled", "validation", "test"] as const) expect(noisy[part]).toEqual(clean[part]);
  });

  test("pictures of a further set have names of their own and no score", () => {
    const { unlabelled } = dataWith({ moreUnlabelled: ["more"] });
    expect(unlabelled.at(-1)).toEqual({ name: "more/6.png", path: "/6.png", sha256: "other 6.png" });
  });

  test("groups stay together where the set says so", () => {
    const rows = rowsOf(100).map((row, i) => ({ ...row, group: `${i >> 2}` }));
    const variant = variantsOf(recipeOf({}))[0]!;
    const { data } = dataOf(variant, repeat, { ...sources, data: opened(rows, true) });
    const groups = (part: readonly { group?: string }[]) => new Set(part.map(({ group }) => group));
    expect(groups(data.test).intersection(groups(data.labelled)).size).toBe(0);
    expect(data.split).toBe("1:3:1 by group, seed 1");
  });
});

describe("folds", () => {
  const recipe = recipeOf({ folds: 4, seeds: [1, 2], base: { ratio: "1:2:1", strata: 5 } });
  const variant = variantsOf(recipe)[0]!;

  test("are repeats of each seed, over which every picture is tested once, classes evenly", () => {
    const repeats = repeatsOf(recipe);
    expect(repeats.map(({ split, fold }) => [split, fold])).toEqual(
      [1, 2].flatMap((s) => [1, 2, 3, 4].map((f) => [s, f])),
    );
    const parts = repeats.map((each) => dataOf(variant, each, sources).data);
    const tested = names(parts.slice(0, 4).flatMap(({ test }) => test));
    expect(tested.sort()).toEqual(names(sources.data.rows).sort());
    for (const { labelled, unlabelled, test } of parts) {
      expect([labelled.length, unlabelled.length, test.length]).toEqual([25, 50, 25]);
      for (const part of [labelled, test]) {
        for (const own of [0, 1, 2, 3, 4]) {
          const count = (rows: readonly { mos?: number }[]) =>
            rows.filter(({ mos }) => classOfMos(mos!, [0, 100], 5) === own).length;
          expect(Math.abs(count(part) - count(sources.data.rows) / 4)).toBeLessThanOrEqual(1);
        }
      }
    }
    expect(parts[1]!.split).toBe("fold 2 of 4, training part 1:2 by image, stratified, seed 1");
  });

  test("of groups that cannot be stratified are refused before training", () => {
    const rows = rowsOf(100).map((row, i) => ({ ...row, group: `${i >> 2}` }));
    const grouped = { ...sources, data: opened(rows, true) };
    expect(() => dataOf(variant, { ...repeat, fold: 1, folds: 4 }, grouped)).toThrow("Leave strata out");
  });
});

describe("ranked copies", () => {
  test("are there but for those of validation and test pictures, which are counted", () => {
    const { ranked: kept, labelled, unlabelled, validation, test, notes } = dataWith({ validationShare: 0.2 }, ranked);
    expect(kept!.map(({ source }) => source).sort()).toEqual(
      [...names(labelled), ...names(unlabelled), "other.png"].sort(),
    );
    expect(notes).toEqual(["24 ranked sets of validation or test pictures were left out"]);
    const data = { labelled, unlabelled, ranked: kept!, validation, test, range: [0, 100] as const };
    expect(partSizes({ data, noisy: 0 })).toEqual({
      labelled: 16,
      ranked: 77,
      unlabelled: 60,
      validation: 4,
      test: 20,
    });
  });

  test("of weight 0 are not there", () => {
    expect(dataWith({ rankWeight: 0 }, ranked)).toEqual(dataWith({}));
  });
});

describe("pictures of the test part that come again", () => {
  const again = (part: "test" | "labelled") => {
    const first = dataWith({})[part][0]!;
    return opened([{ name: "again.png", path: "/again.png", sha256: first.sha256 }]);
  };

  test("are left out of the unlabelled ones, with a note", () => {
    const { unlabelled, notes } = dataWith(
      { moreUnlabelled: ["more"] },
      { ...sources, unlabelled: new Map([["more", again("test")]]) },
    );
    expect(names(unlabelled)).not.toContain("more/again.png");
    expect(notes).toEqual(["1 unlabelled pictures with the bytes of one of the validation or test part were left out"]);
    const harmless = dataWith(
      { moreUnlabelled: ["more"] },
      { ...sources, unlabelled: new Map([["more", again("labelled")]]) },
    );
    expect(names(harmless.unlabelled)).toContain("more/again.png");
    expect(harmless.notes).toEqual([]);
  });

  test("among the labelled ones are counted", () => {
    const [first] = dataWith({}).test;
    const rows = rowsOf(100).map((row) =>
      row.name === dataWith({}).labelled[0]!.name ? { ...row, sha256: first!.sha256 } : row,
    );
    const { notes } = dataWith({}, { ...sources, data: opened(rows) });
    expect(notes.join()).toContain("1 labelled pictures with the bytes of one");
  });
});

describe("the key of a training", () => {
  const settings = variantsOf(recipeOf({}))[0]!.settings;
  const data = dataWith({});
  const keyOf = (stage: 1 | 2, changes: Record<string, unknown> = {}, content: Record<string, unknown> = {}) => {
    const options = optionsOf({ ...settings, ...changes }, 1);
    return trainingKey({
      ...dataOfPhase(cpl.phases(options as CplOptions)[stage - 1]!, { ...data, ...content }),
      method: "cpl",
      stage,
      options: phaseOptions(cpl, options, stage - 1),
      start: null,
      adapter: "an adapter",
      version: "1.0",
      ...Object.fromEntries(Object.entries(content).filter(([name]) => name !== "unlabelled")),
    } as Parameters<typeof trainingKey>[0]);
  };

  test("is that of its stage alone", () => {
    for (const changes of [{ gamma: 0.5 }, { confidence: "off" }, { stageTwoEpochs: 9 }, { labelledBatch: 4 }]) {
      expect(keyOf(1, changes)).toBe(keyOf(1));
      expect(keyOf(2, changes)).not.toBe(keyOf(2));
    }
    for (const changes of [{ stageOneEpochs: 9 }, { stageOneBatch: 8 }]) {
      expect(keyOf(2, changes)).toBe(keyOf(2));
      expect(keyOf(1, changes)).not.toBe(keyOf(1));
    }
    expect(keyOf(1, {}, { unlabelled: [] })).toBe(keyOf(1));
  });

  test("changes with everything that bits depend on, and not with where pictures lie", () => {
    const moved = (rows: readonly object[]) => rows.map((row) => ({ ...row, path: "/elsewhere" }));
    expect(keyOf(2, {}, { labelled: moved(data.labelled), unlabelled: moved(data.unlabelled) })).toBe(keyOf(2));
    const first = data.labelled[0]!;
    const others = data.labelled.slice(1);
    for (const content of [
      { start: "a hash" },
      { adapter: "another" },
      { version: "1.1" },
      { range: [0, 101] },
      { labelled: [{ ...first, mos: first.mos + 1e-9 }, ...others] },
      { labelled: [{ ...first, sha256: "other bytes" }, ...others] },
      { labelled: [...others, first] },
      { unlabelled: data.unlabelled.slice(1) },
      { test: data.test.slice(1) },
    ]) {
      expect(keyOf(2, {}, content)).not.toBe(keyOf(2));
    }
    for (const changes of [{ levels: 50 }, { labelMode: "minent" }, { backbone: "resnet50" }, { rate: 1e-5 }]) {
      for (const stage of [1, 2] as const) expect(keyOf(stage, changes)).not.toBe(keyOf(stage));
    }
  });

  test("changes with the level and the content of a ranked copy, and not with the folder of the copies", () => {
    const sets = dataWith({}, ranked).ranked!;
    const keyWith = (changed: Record<string, unknown>) =>
      keyOf(
        1,
        {},
        {
          ranked: sets.map(({ source, pictures: [first, ...others] }) => ({
            source,
            pictures: [{ ...first!, ...changed }, ...others],
          })),
        },
      );
    expect(keyWith({})).not.toBe(keyOf(1));
    expect(keyWith({ path: "/elsewhere" })).toBe(keyWith({}));
    for (const changed of [{ level: 1 }, { sha256: "other" }]) expect(keyWith(changed)).not.toBe(keyWith({}));
    expect(keyOf(1, {}, { ranked: sets.slice(1) })).not.toBe(keyWith({}));
  });

  test("tells an adapter from itself with matrix units, whose bits are others", () => {
    const info = {
      provider: "dawn",
      vendor: "a",
      architecture: "a",
      description: "b",
      software: true,
    } as unknown as Device["info"];
    expect(adapterOf({ info, matrixUnits: [] })).toBe("a b");
    const unit = { component: "f16", sum: "f32", M: 8, N: 16, K: 16, lanes: 32, emulated: false } as const;
    expect(adapterOf({ info, matrixUnits: [unit] })).toBe("a b f16 f32 8x16x16");
  });

  test("of pictures without weights is what it was before there were weights, and with a distribution what it was before there were heads", () => {
    const row = { name: "a.png", path: "/a.png", sha256: "hash", mos: 2.5, sd: 0.5, histogram: [1, 2] };
    const parts = { labelled: [row], unlabelled: [], validation: [], test: [{ ...row, name: "b.png" }] };
    const given = { start: null, range: [1, 5] as const, adapter: "an adapter", version: "1.0" };
    const options = { levels: 10 } as unknown as CplOptions;
    expect(trainingKey({ ...given, ...parts, options, method: "cpl", stage: 1 })).toBe(
      "b1a35df1f79d9dc631eb118cd6284caca432297412cb0d8e5315d76cbcdf30fe",
    );
    const key = (head: string) =>
      trainingKey({ ...given, ...parts, options: { ...options, head } as CplOptions, method: "cpl", stage: 1 });
    expect(key("distribution")).toBe(trainingKey({ ...given, ...parts, options, method: "cpl", stage: 1 }));
    expect(key("score")).not.toBe(key("distribution"));
  });

  test("does not depend on the order of keys", () => {
    expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: 2 })).toBe('{"a":2,"b":[{"d":1}]}');
  });
});
