import { describe, expect, test } from "bun:test";
import type { Row } from "../../../models/data/index.ts";
import { divide, type Parts, shareOf, withLabelNoise } from "../../../models/data/protocol.ts";

const rows = Array.from({ length: 100 }, (_, i) => ({
  name: `${String(i).padStart(2, "0")}.png`,
  path: `/pictures/${i}.png`,
  mos: i,
  group: `scene ${Math.floor(i / 5)}`,
  split: i < 60 ? "training" : i < 75 ? "validation" : "test",
}));

const sizes = ({ labelled, unlabelled, validation, test }: Parts<Row>) =>
  [labelled, unlabelled, validation, test].map((part) => part.length);

const names = (part: readonly { name: string }[]) => part.map(({ name }) => name);

describe("a protocol", () => {
  test.each([
    ["1:3:1", [20, 60, 0, 20]],
    ["1:8:1", [10, 80, 0, 10]],
    ["4:1", [80, 0, 0, 20]],
  ])("%s at random", (ratio, expected) => {
    const parts = divide(rows, { ratio, seed: 1, by: "image" });
    expect(sizes(parts)).toEqual(expected);
    const all = [...parts.labelled, ...parts.unlabelled, ...parts.validation, ...parts.test];
    expect(names(all).sort()).toEqual(names(rows));
    expect(names(divide(rows.toReversed(), { ratio, seed: 1, by: "image" }).test)).toEqual(names(parts.test));
    expect(names(divide(rows, { ratio, seed: 2, by: "image" }).test)).not.toEqual(names(parts.test));
  });

  test("official: the authors' test and validation parts, and the training part by the first numbers", () => {
    const parts = divide(rows, { protocol: "official", ratio: "1:3:1", seed: 1, by: "image" });
    expect(sizes(parts)).toEqual([15, 45, 15, 25]);
    for (const name of ["labelled", "unlabelled"] as const) {
      expect(parts[name].every(({ split }) => split === "training")).toBe(true);
    }
    expect(parts.test.every(({ split }) => split === "test")).toBe(true);
    expect(parts.description).toBe("official, training part 1:3 by image, seed 1");
    const all = divide(rows, { protocol: "official", ratio: "4:1", seed: 1, by: "image" });
    expect(sizes(all)).toEqual([60, 0, 15, 25]);
  });

  test("a validation share is held out of the labelled part, groups whole", () => {
    const parts = divide(rows, { ratio: "2:2:1", seed: 3, by: "group", validationShare: 0.25 });
    expect(sizes(parts)).toEqual([30, 40, 10, 20]);
    const scenes = (part: readonly { group: string }[]) => new Set(part.map(({ group }) => group));
    const used = [parts.labelled, parts.unlabelled, parts.validation, parts.test].map(scenes);
    expect(used.reduce((sum, { size }) => sum + size, 0)).toBe(20);
    const without = divide(rows, { ratio: "2:2:1", seed: 3, by: "group" });
    expect(names(without.test)).toEqual(names(parts.test));
    expect(names([...parts.labelled, ...parts.validation]).sort()).toEqual(names(without.labelled));
  });

  test("unrated rows are unlabelled, in an official split too", () => {
    const more = [...rows, { name: "x.png", path: "/x.png" }];
    for (const protocol of ["random", "official"] as const) {
      const { unlabelled } = divide(more, { protocol, ratio: "1:3:1", seed: 1, by: "image" });
      expect(names(unlabelled)).toContain("x.png");
    }
  });

  test("unrated rows of a group that is validated or tested on are in no part", () => {
    const parts = divide(rows, { ratio: "2:2:1", seed: 3, by: "group", validationShare: 0.25 });
    const more = rows.map((row) => ({ name: `unrated ${row.name}`, path: row.path, group: row.group }));
    const alone = { name: "x.png", path: "/x.png" };
    const options = { ratio: "2:2:1", seed: 3, validationShare: 0.25 };
    const { unlabelled } = divide([...rows, ...more, alone], { ...options, by: "group" });
    const held = new Set([...parts.validation, ...parts.test].map(({ group }) => group));
    const kept = more.filter(({ group }) => !held.has(group));
    expect(names(unlabelled)).toEqual(names([...parts.unlabelled, ...kept, alone]));
    expect(divide([...rows, ...more], { ...options, by: "image" }).unlabelled).toHaveLength(40 + 100);
  });

  test("what cannot be is said", () => {
    const official = { protocol: "official", ratio: "1:3:1", seed: 1, by: "image" } as const;
    const practice = [...rows, { name: "p.png", path: "/p.png", mos: 1, split: "practice" }];
    expect(() => divide(practice, official)).toThrow('has a part "practice" (1 pictures, such as p.png)');
    expect(() => divide([{ name: "a", path: "/a", mos: 1 }], official)).toThrow('"a" belongs to no part');
    expect(() => divide(rows.slice(0, 60), official)).toThrow("has no test part");
    expect(() => divide(rows, { ratio: "1:3", seed: 1, by: "image", validationShare: 1 })).toThrow(RangeError);
    expect(() => divide(rows, { ratio: "1:3:1:2", seed: 1, by: "image" })).toThrow("1:3:1:2");
  });
});

test("smaller shares are contained in larger ones, and are what they say", () => {
  const draw = { seed: 5, stream: "a share" };
  const [third, half] = [shareOf(rows, 0.33, draw), shareOf(rows, 0.5, draw)];
  expect([third.length, half.length, shareOf(rows, 0, draw).length, shareOf(rows, 1, draw).length]).toEqual([
    33, 50, 0, 100,
  ]);
  expect(names(half)).toEqual(expect.arrayContaining(names(third)));
  expect(names(half)).toEqual(names(half).sort());
  expect(names(shareOf(rows.toReversed(), 0.5, draw)).sort()).toEqual(names(half));
  expect(names(shareOf(rows, 0.5, { seed: 6, stream: "a share" }))).not.toEqual(names(half));
});

test("label noise has its mean and deviation, is a picture's own, and stays in the range", () => {
  const many = Array.from({ length: 4000 }, (_, i) => ({ name: `${i}`, path: `/${i}`, mos: 3 }));
  const noisy = withLabelNoise(many, { mean: 0.5, sd: 0.25 }, { seed: 1, range: [1, 5] });
  const mean = noisy.reduce((sum, { mos }) => sum + mos, 0) / noisy.length;
  const variance = noisy.reduce((sum, { mos }) => sum + (mos - mean) ** 2, 0) / noisy.length;
  // Standard errors: 0.25 / √4000 = 0.004 and 0.25 / √8000 = 0.0028.
  expect(Math.abs(mean - 3.5)).toBeLessThan(0.016);
  expect(Math.abs(Math.sqrt(variance) - 0.25)).toBeLessThan(0.012);
  const some = withLabelNoise(many.slice(10, 20), { mean: 0.5, sd: 0.25 }, { seed: 1, range: [1, 5] });
  expect(some).toEqual(noisy.slice(10, 20));
  expect(many[0]!.mos).toBe(3);
  const clipped = withLabelNoise(many, { mean: 1.9, sd: 0.5 }, { seed: 1, range: [1, 5] });
  expect(Math.max(...clipped.map(({ mos }) => mos))).toBe(5);
  expect(withLabelNoise(many, { mean: 0, sd: 0 }, { seed: 1, range: [1, 5] })).toEqual(many);
});

describe("folds", () => {
  /** Pictures of five classes on [0, 100], as many as given. */
  const rated = (counts: readonly number[]) =>
    counts.flatMap((count, own) =>
      Array.from({ length: count }, (_, i) => {
        const name = `${own}-${i}.jpg`;
        return { name, path: `/${name}`, mos: own * 20 + 1 + (18 * i) / count };
      }),
    );
  const livec = [68, 139, 266, 387, 69];
  const classOf = (mos: number) => Math.floor(mos / 20);
  const count = (part: readonly { mos?: number }[]) =>
    livec.map((_, own) => part.filter(({ mos }) => classOf(mos!) === own).length);
  const folds = (rows: Row[], more: Partial<Parameters<typeof divide>[1]> = {}) =>
    [1, 2, 3, 4, 5].map((fold) =>
      divide(rows, { protocol: "folds", fold, ratio: "1:3:1", seed: 1, by: "image", strata: classOf, ...more }),
    );

  test("each picture is tested once, and every part has its share of every class", () => {
    const all = folds(rated(livec));
    expect(all.map(sizes)).toEqual([186, 186, 186, 186, 185].map((test) => [186, 743 - 186 + (186 - test), 0, test]));
    expect(names(all.flatMap(({ test }) => test)).sort()).toEqual(names(rated(livec)).sort());
    for (const { labelled, unlabelled, test } of all) {
      expect(names([...labelled, ...unlabelled, ...test]).sort()).toEqual(names(rated(livec)).sort());
      const away = (part: readonly Row[], share: number) =>
        Math.max(...count(part).map((found, own) => Math.abs(found - share * livec[own]!)));
      for (const part of [labelled, test]) expect(away(part, 1 / 5)).toBeLessThan(1.5);
      expect(away(unlabelled, 3 / 5)).toBeLessThan(1.5);
    }
    expect(all[1]!.description).toBe("fold 2 of 5, training part 1:3 by image, stratified, seed 1");
  });

  test("are the same whatever the order of the rows, and others with another seed", () => {
    const rows = rated(livec);
    const [first, again, other] = [folds(rows), folds(rows.toReversed()), folds(rows, { seed: 2 })];
    expect(again).toEqual(first);
    expect(names(other[0]!.test)).not.toEqual(names(first[0]!.test));
  });

  test("without classes and by group have equal sizes, groups whole", () => {
    const plain = folds(rated(livec), { strata: undefined as never });
    expect(plain.map(({ test }) => test.length)).toEqual([185, 186, 186, 186, 186]);
    const grouped = [1, 2, 3, 4].map((fold) =>
      divide(rows, { protocol: "folds", folds: 4, fold, ratio: "1:1:1", seed: 1, by: "group" }),
    );
    expect(grouped.map(({ test }) => test.length)).toEqual([25, 25, 25, 25]);
    const scenes = grouped.map(({ test }) => new Set(test.map(({ group }) => group)));
    expect(scenes.reduce((sum, { size }) => sum + size, 0)).toBe(20);
    expect(names(grouped.flatMap(({ test }) => test)).sort()).toEqual(names(rows));
  });

  test("are refused where a class would be missing, or groups would be parted", () => {
    expect(() => folds(rated([68, 139, 266, 387, 4]))).toThrow(
      'Class 4 has 4 of these 864 pictures, and "fold 5" would have none of them: give fewer or larger parts, or fewer classes with strata.',
    );
    expect(() => folds(rated([68, 139, 266, 387, 5]), { ratio: "1:99:1" })).toThrow('"labelled" would have none');
    expect(() => folds(rated([68, 139, 266, 387, 0]))).not.toThrow();
    expect(() => divide(rows, { ratio: "1:3:1", seed: 1, by: "group", strata: classOf })).toThrow(
      "Groups stay together, so classes cannot be spread evenly",
    );
    expect(() => folds(rated(livec), { fold: 6 })).toThrow("from 1 to 5, got 6");
    expect(() => folds(rated(livec), { folds: 1 })).toThrow("at least 2, got 1");
  });

  test("classes are spread evenly at random, of an official training part and of what is held out, too", () => {
    const at = { ratio: "1:3:1", seed: 1, by: "image", strata: classOf } as const;
    const random = divide(rated([100, 50, 200, 10, 40]), { ...at, validationShare: 0.5 });
    expect([random.labelled, random.validation].map(count)).toEqual([
      [10, 5, 20, 1, 4],
      [10, 5, 20, 1, 4],
    ]);
    expect(count(random.test)).toEqual([20, 10, 40, 2, 8]);
    const official = rated([40, 40, 40, 40, 40]).map((row, i) => ({ ...row, split: i % 2 === 0 ? "train" : "test" }));
    expect(count(divide(official, { ...at, protocol: "official" }).labelled)).toEqual([5, 5, 5, 5, 5]);
  });
});
