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

  test("all: every picture of both parts at least once", () => {
    expect(uses(few, { stageTwoEpoch: "all" }).batches).toEqual([6, 6, 6]);
    const epoch = uses(many, { stageTwoEpoch: "all" });
    expect(epoch.batches).toHaveLength(5);
    expect(Math.min(...epoch.labelled, ...epoch.unlabelled)).toBe(1);
  });
});
