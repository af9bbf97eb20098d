import { describe, expect, test } from "bun:test";
import { Tensor } from "../../../engine/tensor.ts";
import { fixMatch } from "../../../models/methods/index.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import { groupsOf, planEpoch, rowsIn } from "../../../models/training/batches.ts";
import { rowRuns } from "../../../models/training/rows.ts";
import { PictureInputs } from "../../../models/views/inputs.ts";
import type { PartViews } from "../../../models/views/view-kind.ts";
import { sharedDevice } from "../../engine/device.ts";

const side = 32;
const options = fixMatch.options({ crop: side, resize: 40, stages: 1 });
const views: PartViews = {
  labelled: ["weak"],
  unlabelled: ["weak", "strong"],
  further: ["weak", "turned", "turned", "turned"],
};
const rows = (count: number, part: string) =>
  Array.from({ length: count }, (_, i) => ({ name: part + i, path: part + i }));
const parts = { labelled: rows(4, "labelled"), unlabelled: rows(12, "unlabelled") };
const phase = { stage: 1, batch: { labelled: 2, unlabelled: 4, further: 3 }, views };

describe("further pictures", () => {
  const epoch = planEpoch(phase, 0, parts, options);

  test("come in an order of their own, in every batch", () => {
    expect(epoch).toHaveLength(3);
    const order = (part: string) =>
      epoch.flatMap((batch) =>
        groupsOf(batch, views).flatMap(({ rows }) => (rows[0]!.part === part ? rows[0]!.index : [])),
      );
    expect(order("further")).toHaveLength(9);
    expect(new Set(order("further")).size).toBe(9);
    expect(order("further")).not.toEqual(order("unlabelled").slice(0, 9));
    for (const batch of epoch) expect(batch).toHaveLength(rowsIn(phase.batch, views));
  });

  test("are the same with the same seed, and others in another epoch", () => {
    expect(planEpoch(phase, 0, parts, options)).toEqual(epoch);
    expect(planEpoch(phase, 1, parts, options)).not.toEqual(epoch);
  });

  test("leave the draws of the others as they are", () => {
    const without = planEpoch({ ...phase, batch: { labelled: 2, unlabelled: 4 } }, 0, parts, options);
    const names = (batches: typeof epoch, part: string) =>
      batches.flatMap((batch) => batch.flatMap((row) => (row.part === part ? row.name : [])));
    for (const part of ["labelled", "unlabelled"]) expect(names(without, part)).toEqual(names(epoch, part));
  });

  test("are one view, as it is and turned by one, two and three quarters", () => {
    for (const { rows } of groupsOf(epoch[0]!, views).filter(({ rows }) => rows[0]!.part === "further")) {
      expect(rows.map(({ quarters = 0 }) => quarters)).toEqual([0, 1, 2, 3]);
      expect(new Set(rows.map(({ window }) => JSON.stringify(window))).size).toBe(1);
    }
  });

  test("lie behind the others in a micro-batch, and are not cut between their turns", () => {
    const runs = rowRuns(epoch[0]!, views, 10);
    expect(runs.map(({ count }) => count).reduce((a, b) => a + b)).toBe(22);
    const further = runs.map(({ rows }) => rows.further).filter(({ count }) => count > 0);
    expect(further.every(({ views }) => views === 4)).toBe(true);
    expect(further.map(({ count }) => count).reduce((a, b) => a + b)).toBe(3);
  });
});

test("a turned view has the pixels of the view, at places a quarter on", async () => {
  const device = await sharedDevice();
  const model = new QualityNetwork(device, options);
  const inputs = new PictureInputs(model, 4, 0);
  const window = { top: 3, left: 5, flip: true };
  const [R, S] = [40, side];
  const picture = Float32Array.from({ length: R * R * 3 }, (_, i) => ((i * 7919) % 65_521) / 65_521);
  const { whole } = device.scope(() => {
    const tensor = Tensor.from(device, picture, [1, R, R, 3]);
    const batch = inputs.assemble([0, 1, 2, 3].map((quarters) => ({ tensor, window, quarters })));
    return { whole: batch.read() };
  });
  const found = await whole;
  const at = (view: number, y: number, x: number, c: number) => found[((view * S + y) * S + x) * 3 + c]!;
  for (let y = 0; y < S; y += 5)
    for (let x = 0; x < S; x += 3)
      for (let c = 0; c < 3; c++) {
        const shown = picture[((window.top + y) * R + window.left + (S - 1 - x)) * 3 + c]!;
        expect(at(0, y, x, c)).toBe(shown);
        // A quarter anticlockwise takes (y, x) to (S − 1 − x, y).
        expect(at(1, S - 1 - x, y, c)).toBe(shown);
        expect(at(2, S - 1 - y, S - 1 - x, c)).toBe(shown);
        expect(at(3, x, S - 1 - y, c)).toBe(shown);
      }
  inputs.dispose();
  model.dispose();
});
