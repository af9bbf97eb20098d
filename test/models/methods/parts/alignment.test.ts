import { describe, expect, test } from "bun:test";
import { softmax } from "../../../../engine/ops/softmax.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { adaMatch } from "../../../../models/methods/adamatch/index.ts";
import { Alignment, type AlignmentOptions } from "../../../../models/methods/parts/alignment.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { labelled, softmaxRows, weak } from "./logits.ts";

const base: AlignmentOptions = { momentum: 0.999, prior: "uniform", priorShares: [], alignWindow: 0 };

async function aligned(
  options: Partial<AlignmentOptions>,
  given = labelled,
  labels = [1, 0, 0, 0, 1, 0, 1, 0, 0],
  times = 1,
) {
  const device = await sharedDevice();
  const alignment = new Alignment(device, { ...base, ...options, levels: 3 }, labels);
  let found: number[] = [];
  for (let time = 0; time < times; time++) {
    const read = device.scope(() => {
      const q = softmax(Tensor.from(device, weak, [3, 3]));
      return { of: alignment.aligned(q, softmax(Tensor.from(device, given, [given.length / 3, 3]))).read() };
    });
    found = [...(await read.of)];
  }
  alignment.dispose();
  return found;
}

const rows = softmaxRows(weak);
const mean = [0, 1, 2].map((c) => rows.reduce((sum, row) => sum + row[c]! / 3, 0));
/** norm(q (prior + ε) / (P_u + ε)) in float64. */
const led = (prior: readonly number[], unlabelled: readonly number[] = mean) =>
  rows.flatMap((row) => {
    const ratio = row.map((p, c) => (p * (prior[c]! + 1e-6)) / (unlabelled[c]! + 1e-6));
    return ratio.map((p) => p / ratio.reduce((a, b) => a + b));
  });

describe("guesses are led", () => {
  test("to the shares of a prior", async () => {
    expect(relativeError(await aligned({}), led([1 / 3, 1 / 3, 1 / 3]))).toBeLessThan(1e-6);
    expect(relativeError(await aligned({ prior: "labelled" }), led([2 / 3, 1 / 3, 0]))).toBeLessThan(1e-6);
    const list = await aligned({ prior: "list", priorShares: [10, 30, 60] });
    expect(relativeError(list, led([0.1, 0.3, 0.6]))).toBeLessThan(1e-6);
    expect(relativeError(await aligned({ prior: "off" }), rows.flat())).toBeLessThan(1e-6);
  });

  test("nowhere when they are as the prior is", async () => {
    const same = await aligned({ prior: "predictions", momentum: 0 }, weak);
    expect(relativeError(same, rows.flat())).toBeLessThan(1e-6);
    expect(relativeError(await aligned({ prior: "list", priorShares: mean }), rows.flat())).toBeLessThan(1e-6);
  });

  test("by the mean of the last batches, all alike before the first", async () => {
    const window = (batches: number, of: number) => mean.map((p) => (batches * p + (of - batches) / 3) / of);
    const third = [1 / 3, 1 / 3, 1 / 3];
    expect(relativeError(await aligned({ alignWindow: 4 }), led(third, window(1, 4)))).toBeLessThan(1e-6);
    const later = await aligned({ alignWindow: 4 }, labelled, [], 3);
    expect(relativeError(later, led(third, window(3, 4)))).toBeLessThan(1e-6);
    const full = await aligned({ alignWindow: 4 }, labelled, [], 9);
    expect(relativeError(full, led(third))).toBeLessThan(1e-6);
    expect(relativeError(await aligned({ alignWindow: 1 }, labelled, [], 2), led(third))).toBeLessThan(1e-6);
  });
});

test("shares that do not go with the prior or the classes are refused", () => {
  expect(() => adaMatch.options({ prior: "list", priorShares: [1, 2] })).toThrow(
    "`priorShares` 1,2: there are 5 classes (`levels`); give a share for each",
  );
  expect(() => adaMatch.options({ prior: "list" })).toThrow("`priorShares` none: there are 5 classes");
  expect(() => adaMatch.options({ priorShares: [1, 2, 3, 4, 5] })).toThrow("read with the `prior` list alone");
  expect(() => adaMatch.options({ prior: "list", priorShares: [0, 0, 0, 0, 0] })).toThrow(
    "at least one must be above 0",
  );
});
