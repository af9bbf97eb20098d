import { expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { deFixMatch, takenLabelled } from "../../../../models/methods/defixmatch/index.ts";
import { agreed, taken } from "../../../../models/methods/parts/consistency.ts";
import type { PlannedPicture } from "../../../../models/training/batches.ts";
import type { BatchRows, PhaseContext } from "../../../../models/training/method.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { softmaxRows, strong, weak } from "../parts/logits.ts";

/** Loss, figures and slopes of a batch with these labelled and unlabelled pictures, each a weak and a strong row of logits. */
async function of(labelled: number[][], unlabelled: number[][], more: object = {}) {
  const device = await sharedDevice();
  const options = deFixMatch.options({ levels: 3, threshold: 0.8, ...more });
  const labels = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 1, 0);
  const task = deFixMatch.phases(options)[0]!.begin({ labels } as PhaseContext);
  const planned = (part: "labelled" | "unlabelled", count: number) =>
    Array.from(
      { length: count },
      (_, index) =>
        [
          { part, index },
          { part, index, strong: 1 },
        ] as PlannedPicture[],
    ).flat();
  const [given, other] = [labelled.length / 2, unlabelled.length / 2];
  const place = { step: 0, steps: 1, epoch: 0 };
  const targets = task.targets([...planned("labelled", given), ...planned("unlabelled", other)], place);
  const rows: BatchRows = {
    ranked: { row: 0, first: 0, count: 0, size: 0, views: 2 },
    labelled: { row: 0, first: 0, count: given, size: given, views: 2 },
    unlabelled: { row: 2 * given, first: 0, count: other, size: other, views: 2 },
    further: { row: 0, first: 0, count: 0, size: 0, views: 0 },
  };
  const reads = device.scope(() => {
    const all = [...labelled, ...unlabelled];
    const logits = Tensor.from(device, all.flat(), [all.length, 3]);
    logits.requiresGradient = true;
    const onDevice = Object.entries(targets).map(([name, { data, shape }]) => [name, Tensor.from(device, data, shape)]);
    const { loss, figures } = task.loss({ logits } as never, Object.fromEntries(onDevice), rows, logits);
    backward(loss);
    const shares = Object.entries(figures ?? {}).map(async ([name, tensor]) => [name, await tensor.item()]);
    return { loss: loss.item(), shares, slopes: logits.gradient!.read() };
  });
  return {
    loss: await reads.loss,
    figures: Object.fromEntries(await Promise.all(reads.shares)) as Record<string, number>,
    slopes: [...(await reads.slopes)],
  };
}

const rowsOf = (logits: number[]) => [0, 1, 2].map((b) => logits.slice(3 * b, 3 * b + 3));
/** Weak and strong rows of three pictures, one after the other. */
const views = [0, 1, 2].flatMap((b) => [rowsOf(weak)[b]!, rowsOf(strong)[b]!]);
const labels = [0, 1, 1];
const entropy = (logits: number[]) => softmaxRows(logits).map((p, b) => -Math.log(p[labels[b]!]!));
const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
/** L_x: labels on both views, in halves. */
const given = (mean(entropy(weak)) + mean(entropy(strong))) / 2;

test("what is learnt of guesses is less what they would be learnt with on labelled pictures", async () => {
  const same = await of(views, views);
  expect(same.loss).toBeCloseTo(given, 5);
  expect(same.figures[taken]).toBeCloseTo(2 / 3, 6);
  expect(same.figures[takenLabelled]).toBeCloseTo(2 / 3, 6);
  expect(same.figures[agreed]).toBeCloseTo(2 / 3, 6);
  // FixMatch's golden value at τ 0.8, against labelled pictures of which nothing is sure.
  const unsure = [0, 1, 2].flatMap(() => [
    [0, 0, 0],
    [0, 0, 0],
  ]);
  expect((await of(unsure, views)).loss).toBeCloseTo(Math.log(3) + 0.362625, 5);
  expect((await of(views, unsure, { unlabelledWeight: 2 })).loss).toBeCloseTo(given - 2 * 0.362625, 5);
});

test("strong views of labelled pictures are moved by their label, and away from the guess", async () => {
  const { slopes } = await of(views, views);
  const guesses = [0, 1, undefined];
  const expected = [0, 1, 2].flatMap((b) => {
    const p = softmaxRows(rowsOf(weak)[b]!)[0]!;
    const s = softmaxRows(rowsOf(strong)[b]!)[0]!;
    const slope = (shares: number[], label: number | undefined, factor: number) =>
      shares.map((share, c) => (label === undefined ? 0 : (factor * (share - (c === label ? 1 : 0))) / 3));
    const away = slope(s, guesses[b], -1);
    return [...slope(p, labels[b], 0.5), ...slope(s, labels[b], 0.5).map((value, c) => value + away[c]!)];
  });
  expect(relativeError(slopes.slice(0, 18), expected)).toBeLessThan(1e-5);
});

test("a batch that lost its unlabelled pictures learns the labels alone", async () => {
  const { loss, figures } = await of(views, []);
  expect(loss).toBeCloseTo(given, 5);
  expect(figures).toEqual({});
});
