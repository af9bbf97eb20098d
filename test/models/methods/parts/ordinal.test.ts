import { describe, expect, test } from "bun:test";
import { Tensor } from "../../../../engine/tensor.ts";
import * as adaMatch from "../../../../models/methods/adamatch/loss.ts";
import * as flexMatch from "../../../../models/methods/flexmatch/loss.ts";
import * as freeMatch from "../../../../models/methods/freematch/loss.ts";
import { Alignment } from "../../../../models/methods/parts/alignment.ts";
import type { Guess } from "../../../../models/methods/parts/consistency.ts";
import * as fixed from "../../../../models/methods/parts/fixed-threshold.ts";
import * as softMatch from "../../../../models/methods/softmatch/loss.ts";
import type { StepLoss } from "../../../../models/training/method.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { type Given, lossOf, softmaxRows, strong as strongLogits } from "./logits.ts";

const device = await sharedDevice();
const align = () =>
  new Alignment(device, { momentum: 0.9, prior: "uniform", priorShares: [], alignWindow: 0, levels: 3 }, []);
const pictures = () => Tensor.from(device, Uint32Array.of(0, 1, 2), [3]);
const common = { unlabelledWeight: 1, threshold: 0.8 };

/** Loss and guess of each method on fresh state. */
const methods: Record<string, (given: Given, ordinal: number) => { loss: StepLoss; guess: Guess }> = {
  fixmatch: ({ weak, strong }, ordinal) => {
    const options = { ...common, ordinal, pseudoLabels: "hard", temperature: 1 } as const;
    return { loss: fixed.unlabelledLoss(weak, strong, 3, options), guess: fixed.guess(weak, options) };
  },
  adamatch: ({ labelled, weak, strong }, ordinal) => ({
    loss: adaMatch.unlabelledLoss(labelled, weak, strong, align(), { ...common, ordinal }),
    guess: adaMatch.guess(labelled, weak, align(), { ...common, ordinal }),
  }),
  freematch: ({ weak, strong }, ordinal) => {
    const limits = { leastThreshold: 0, mostThreshold: 1, leastClassThreshold: 0, mostClassThreshold: 1 };
    const options = { ...common, ordinal, ...limits, momentum: 0.5, confidence: "mean", fairnessWeight: 0 } as const;
    const state = () => freeMatch.freeMatchState(device, 3);
    return {
      loss: freeMatch.unlabelledLoss(weak, strong, state(), options),
      guess: freeMatch.guess(weak, state(), options),
    };
  },
  softmatch: ({ labelled, weak, strong }, ordinal) => {
    const options = { ...common, ordinal, momentum: 0.5, deviations: 2 };
    const state = () => softMatch.softMatchState(device, 3);
    return {
      loss: softMatch.unlabelledLoss(labelled, weak, strong, align(), state(), options),
      guess: softMatch.guess(labelled, weak, align(), state(), options),
    };
  },
  flexmatch: ({ weak, strong }, ordinal) => {
    const options = { ...common, ordinal, thresholdWarmUp: true };
    const state = () => flexMatch.flexMatchState(device, 3, 3);
    return {
      loss: flexMatch.unlabelledLoss(weak, strong, pictures(), state(), options),
      guess: flexMatch.guess(weak, pictures(), state(), options),
    };
  },
};

const run = (name: string, ordinal: number) =>
  lossOf(device, {}, (given) => {
    const { loss, guess } = methods[name]!(given, ordinal);
    return { ...loss, more: { target: guess.target, mask: guess.mask } };
  });

describe("a guessed class is learnt with its neighbours", () => {
  test.each(Object.keys(methods))("%s", async (name) => {
    const plain = await run(name, 0);
    const found = await run(name, 0.6);
    // What is guessed, and what counts, stays; so do the figures of it.
    expect(found.more).toEqual(plain.more);
    expect(found.figures).toEqual(plain.figures);
    const mask = found.more["mask"]!;
    expect(Math.max(...mask)).toBeGreaterThan(0);
    const p = softmaxRows(strongLogits);
    const wanted = p.map((_, b) => {
      const own = found.more["target"]!.slice(3 * b, 3 * b + 3).indexOf(1);
      const weights = [0, 1, 2].map((j) => Math.exp(-((j - own) ** 2) / (2 * 0.6 ** 2)));
      return weights.map((w) => w / weights.reduce((a, c) => a + c));
    });
    const loss = p.reduce(
      (sum, row, b) => sum - (mask[b]! / 3) * row.reduce((all, share, c) => all + wanted[b]![c]! * Math.log(share), 0),
      0,
    );
    expect(found.loss).toBeCloseTo(loss, 5);
    expect(Math.abs(found.loss - plain.loss)).toBeGreaterThan(1e-3);
    const slopes = p.flatMap((row, b) => row.map((share, c) => (mask[b]! / 3) * (share - wanted[b]![c]!)));
    expect(relativeError(found.strong, slopes)).toBeLessThan(1e-5);
    expect(found.weak).toEqual(Array(9).fill(0));
  });
});

test("soft pseudo-labels stay as they are", async () => {
  const soft = (ordinal: number) =>
    lossOf(device, {}, ({ weak, strong }) =>
      fixed.unlabelledLoss(weak, strong, 3, { ...common, ordinal, pseudoLabels: "soft", temperature: 0.5 }),
    );
  expect(await soft(0.6)).toEqual(await soft(0));
});
