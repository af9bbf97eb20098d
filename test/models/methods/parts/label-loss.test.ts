import { expect, test } from "bun:test";
import { withoutGradients } from "../../../../engine/autograd.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { cplOptions } from "../../../../models/methods/cpl/options.ts";
import { fixMatch } from "../../../../models/methods/fixmatch/index.ts";
import { rankingLoss, rowLoss } from "../../../../models/methods/parts/label-loss.ts";
import { supervised } from "../../../../models/methods/supervised/index.ts";
import { type HeadName, headNames, heads } from "../../../../models/networks/heads.ts";
import { OptionError } from "../../../../models/options.ts";
import { checkDifferences, formula, relativeError, runWithGradients } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";

const device = await sharedDevice();
const target = (shape: number[]) => ({ shape, seed: 4, scale: 0.3, shift: 0.5, gradient: false });

test.each([
  ["l1", (error: number) => Math.abs(error), (error: number) => Math.sign(error)],
  ["l2", (error: number) => error * error, (error: number) => 2 * error],
] as const)("a score learns by %s: value, derivative and finite differences", async (loss, value, slope) => {
  const inputs = [{ shape: [7, 1], seed: 2, scale: 0.8, shift: 0.4 }, target([7, 1])];
  const run = ([shares, truth]: Tensor[]) => rowLoss({ head: "score", loss })(shares!, truth!);
  const found = await runWithGradients(device, inputs, run);
  const [shares, truth] = inputs.map(formula);
  const errors = [...shares!].map((share, i) => share - truth![i]!);
  expect(relativeError(found.output, errors.map(value))).toBeLessThan(1e-6);
  const weights = formula({ shape: [7], seed: 99 });
  expect(
    relativeError(
      found.gradients[0]!,
      errors.map((error, i) => weights[i]! * slope(error)),
    ),
  ).toBeLessThan(1e-6);
  await checkDifferences(device, inputs, run, { step: 1e-3 });
});

test.each(headNames)("ranked pairs: the head %s gives its expected scores as shares of the scale", async (name) => {
  const { length, shares } = heads[name];
  const inputs = [
    { shape: [4, length(5)], seed: 3, scale: 0.5, shift: 0.2 },
    { shape: [2, 1], seed: 5, scale: 0.1, shift: 0.6, gradient: false },
  ];
  await checkDifferences(device, inputs, ([logits, margins]) => rankingLoss(shares(logits!), margins!, 2));
  const { found, answers } = device.scope(() =>
    withoutGradients(() => {
      const logits = Tensor.from(device, formula(inputs[0]!), inputs[0]!.shape);
      return { found: shares(logits).read(), answers: heads[name].answers(logits).read() };
    }),
  );
  const read = await answers;
  const expected = Array.from({ length: 4 }, (_, i) => {
    const answer = read.slice(i * length(5), (i + 1) * length(5));
    return heads[name].score(answer, [0, 1]).score;
  });
  expect(relativeError(await found, expected)).toBeLessThan(1e-6);
});

const optionsOf = (input: object) => supervised.options(input as never);

test("losses go with heads: each has a default, and others are refused with those that do", () => {
  const defaults = headNames.map((head) => optionsOf({ head }).loss);
  expect(defaults).toEqual(["cross-entropy", "l1", "l1", "cross-entropy"]);
  const known: Record<HeadName, string[]> = {
    distribution: ["cross-entropy", "kl", "emd", "l1"],
    ensemble: ["l1", "l2"],
    score: ["l1", "l2"],
    classes: ["cross-entropy", "kl", "emd"],
  };
  for (const head of headNames) {
    for (const loss of ["cross-entropy", "kl", "emd", "l1", "l2"]) {
      if (known[head].includes(loss)) expect(optionsOf({ head, loss }).loss as string).toBe(loss);
      else {
        const words = `\`loss\` ${loss}: a network with the \`head\` ${head} learns by ${known[head].join(", ")}; give one of them`;
        expect(() => optionsOf({ head, loss })).toThrow(new OptionError(words));
      }
    }
  }
  expect(() => cplOptions({ loss: "l2" })).toThrow("`loss` l2: a network with the `head` distribution learns by");
  expect(() => fixMatch.options({ loss: "l1" })).toThrow("`loss` l1: a network with the `head` classes learns by");
});

test("options of labels and of the score set that mean nothing to a head are refused", () => {
  for (const head of ["score", "classes"] as const) {
    for (const [name, value] of [
      ["labelMode", "gauss"],
      ["labelDeviation", 3],
    ] as const) {
      expect(() => optionsOf({ head, [name]: value })).toThrow(
        new OptionError(
          `\`${name}\` ${value} says how a score becomes a distribution, and the \`head\` ${head} learns none; leave \`${name}\` out`,
        ),
      );
    }
    expect(() => cplOptions({ head })).toThrow(`\`head\` ${head}: CPL-IQA spreads distributions over the score set`);
  }
  expect(() => optionsOf({ head: "score", levels: 20 })).toThrow("`levels` 20: a network with the `head` score");
  expect(optionsOf({ head: "classes" }).levels).toBe(5);
  expect(optionsOf({ head: "classes", levels: 3 }).levels).toBe(3);
  expect(() => optionsOf({ head: "ranker" })).toThrow('`head` "ranker"');
});
