import { describe, expect, test } from "bun:test";
import { cpl } from "../../../models/methods/cpl/index.ts";
import { type CplOptions, type CplOptionsInput, cplOptions } from "../../../models/methods/cpl/options.ts";
import { planEpoch } from "../../../models/training/batches.ts";

function plan(stage: 1 | 2, epoch: number, parts: Parameters<typeof planEpoch>[2], options: CplOptions) {
  return planEpoch({ ...cpl.phases(options)[stage - 1]!, stage }, epoch, parts, options);
}

const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `${i}`, path: `${i}` }));

/** How often each picture of a part comes, over the batches of an epoch of stage 2. */
function uses(parts: { labelled: number; unlabelled: number }, options: CplOptionsInput) {
  const given = { labelled: rows(parts.labelled), unlabelled: rows(parts.unlabelled) };
  const batches = plan(2, 0, given, cplOptions({ labelledBatch: 2, unlabelledBatch: 4, ...options }));
  const count = (part: "labelled" | "unlabelled", size: number) =>
    Array.from(
      { length: size },
      (_, i) => batches.flat().filter((picture) => picture.part === part && picture.index === i).length,
    );
  return {
    batches: batches.map((batch) => batch.length),
    labelled: count("labelled", parts.labelled),
    unlabelled: count("unlabelled", parts.unlabelled),
  };
}

describe("an epoch of stage 2", () => {
  const few = { labelled: 3, unlabelled: 10 };
  const many = { labelled: 9, unlabelled: 10 };

  test("unlabelled: every unlabelled picture once, the labelled ones again and again", () => {
    const epoch = uses(few, { stageTwoEpoch: "unlabelled" });
    expect(epoch.batches).toEqual([6, 6, 4]);
    expect(epoch.unlabelled).toEqual(Array(10).fill(1));
    expect(epoch.labelled).toEqual([2, 2, 2]);
  });

  test("labelled: so many batches as the labelled pictures fill, in full", () => {
    const epoch = uses(many, { stageTwoEpoch: "labelled" });
    expect(epoch.batches).toEqual([6, 6, 6, 6, 6]);
    expect(epoch.unlabelled).toEqual(Array(10).fill(2));
    // The tenth place goes to the second pass.
    expect(epoch.labelled.toSorted()).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 2]);
    expect(uses(few, { stageTwoEpoch: "labelled" }).batches).toHaveLength(2);
  });

  test("several crops of each picture make it as many times longer", () => {
    const epoch = uses(few, { trainCrops: 3 });
    expect(epoch.unlabelled).toEqual(Array(10).fill(3));
    expect(epoch.batches).toEqual([6, 6, 6, 6, 6, 6, 6, 4]);
    expect(uses(many, { trainCrops: 2, stageTwoEpoch: "labelled" }).labelled).toEqual(Array(9).fill(2));
    const parts = { labelled: rows(5), unlabelled: [] };
    const first = plan(1, 0, parts, cplOptions({ stageOneBatch: 4, trainCrops: 2 }));
    expect(first.map((batch) => batch.length)).toEqual([4, 4, 2]);
    for (let i = 0; i < 5; i++) expect(first.flat().filter(({ index }) => index === i)).toHaveLength(2);
    const places = first.flat().map(({ window: { top, left, flip } }) => `${top} ${left} ${flip}`);
    expect(new Set(places).size).toBe(10);
  });

  test("crops at original size lie at shares of what they leave", () => {
    const parts = { labelled: rows(200), unlabelled: [] };
    const windows = plan(1, 0, parts, cplOptions({ cropFrom: "original", stageOneBatch: 200 }))[0]!;
    const tops = windows.map(({ window }) => window.top);
    expect(Math.min(...tops)).toBeWithin(0, 0.05);
    expect(Math.max(...tops)).toBeWithin(0.95, 1);
    expect(new Set(tops).size).toBeGreaterThan(190);
  });

  test("all: every picture of both parts at least once", () => {
    expect(uses(few, { stageTwoEpoch: "all" }).batches).toEqual([6, 6, 6]);
    const epoch = uses(many, { stageTwoEpoch: "all" });
    expect(epoch.batches).toHaveLength(5);
    expect(Math.min(...epoch.labelled, ...epoch.unlabelled)).toBe(1);
  });
});

describe("ranked pairs", () => {
  const sets = Array.from({ length: 6 }, (_, set) => ({
    source: `${set}`,
    pictures: [0, 3, 4].slice(set % 2).map((level) => ({ name: `${set}-${level}`, path: `/${set}-${level}`, level })),
  }));
  const parts = { labelled: rows(9), unlabelled: rows(20) };
  const options = cplOptions({ stageOneBatch: 4, labelledBatch: 2, unlabelledBatch: 4, rankPairs: 5, tokenShare: 1 });
  const batches = (stage: 1 | 2, epoch: number, more = {}) =>
    plan(stage, epoch, { ...parts, ranked: sets }, { ...options, ...more });

  test.each([1, 2] as const)(
    "come first in every batch of stage %d, the better one first, both seen as in a test",
    (stage) => {
      for (const batch of batches(stage, 0)) {
        const ranked = batch.slice(0, 10);
        expect(ranked.map(({ part }) => part)).toEqual(Array(10).fill("ranked"));
        expect(batch.slice(10).some(({ part }) => part === "ranked")).toBe(false);
        expect(ranked.map(({ index }) => index)).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        for (let i = 0; i < 10; i += 2) {
          const [better, worse] = [ranked[i]!, ranked[i + 1]!];
          expect(better.name.split("-")[0]).toBe(worse.name.split("-")[0]!);
          expect(better.level!).toBeLessThan(worse.level!);
          for (const { window } of [better, worse]) expect(window).toEqual({ top: 16, left: 16, flip: false });
        }
      }
    },
  );

  test("are drawn anew for each batch and epoch, the same by the same seed, and leave the other pictures as they were", () => {
    const named = (epoch: number) =>
      batches(2, epoch).map((batch) =>
        batch
          .slice(0, 10)
          .map(({ name }) => name)
          .join(),
      );
    expect(new Set([...named(0), ...named(1)]).size).toBe(10);
    expect(named(0)).toEqual(named(0));
    const drawn = new Set(
      [0, 1, 2, 3, 4, 5]
        .flatMap((epoch) => batches(2, epoch).flat())
        .map(({ name, part }) => part === "ranked" && name),
    );
    expect(sets.flatMap(({ pictures }) => pictures).every(({ name }) => drawn.has(name))).toBe(true);
    const others = batches(2, 0).map((batch) => batch.slice(10));
    expect(others).toEqual(plan(2, 0, parts, options));
    expect(batches(2, 0, { rankWeight: 0 })).toEqual(others);
  });

  test("take the same tokens of both", () => {
    const [batch] = batches(1, 0, { backbone: "vit_tiny_patch16_224", frozen: 1, tokenShare: 0.5 });
    for (let i = 0; i < 10; i += 2) expect(batch![i]!.tokens).toBe(batch![i + 1]!.tokens!);
    expect(new Set(batch!.map(({ tokens }) => tokens)).size).toBe(batch!.length - 5);
  });
});
