import { describe, expect, test } from "bun:test";
import { planEpoch } from "../../../models/cpl/batches.ts";
import { type CplOptionsInput, cplOptions } from "../../../models/cpl/options.ts";

const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `${i}`, path: `${i}` }));

/** How often each picture of a part comes, over the batches of an epoch of stage 2. */
function uses(parts: { labelled: number; unlabelled: number }, options: CplOptionsInput) {
  const given = { labelled: rows(parts.labelled), unlabelled: rows(parts.unlabelled) };
  const batches = planEpoch(2, 0, given, cplOptions({ labelledBatch: 2, unlabelledBatch: 4, ...options }));
  const count = (labelled: boolean, size: number) =>
    Array.from(
      { length: size },
      (_, i) => batches.flat().filter((picture) => picture.labelled === labelled && picture.index === i).length,
    );
  return {
    batches: batches.map((batch) => batch.length),
    labelled: count(true, parts.labelled),
    unlabelled: count(false, parts.unlabelled),
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
    const first = planEpoch(1, 0, parts, cplOptions({ stageOneBatch: 4, trainCrops: 2 }));
    expect(first.map((batch) => batch.length)).toEqual([4, 4, 2]);
    for (let i = 0; i < 5; i++) expect(first.flat().filter(({ index }) => index === i)).toHaveLength(2);
    const places = first.flat().map(({ window: { top, left, flip } }) => `${top} ${left} ${flip}`);
    expect(new Set(places).size).toBe(10);
  });

  test("crops at original size lie at shares of what they leave", () => {
    const parts = { labelled: rows(200), unlabelled: [] };
    const windows = planEpoch(1, 0, parts, cplOptions({ cropFrom: "original", stageOneBatch: 200 }))[0]!;
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
