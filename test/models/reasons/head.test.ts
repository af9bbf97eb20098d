import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../../engine/random.ts";
import { calibrated } from "../../../models/reasons/calibrate.ts";
import { calibrationError } from "../../../models/reasons/figures.ts";
import { classes, probabilitiesOf, type ReasonHead, softened, toldReasons } from "../../../models/reasons/head.ts";
import { openReasons, saveReasons } from "../../../models/reasons/head-file.ts";
import { HeadLearner } from "../../../models/reasons/head-learner.ts";
import { statisticNames } from "../../../models/reasons/statistics/index.ts";
import { trainHead } from "../../../models/reasons/train-head.ts";
import { defaultReasons } from "../../../models/scoring/shipped-models.ts";
import { sharedDevice } from "../../engine/device.ts";
import { golden } from "../classic/pictures.ts";

interface Steps {
  readonly inputs: number;
  readonly hidden: number;
  readonly classes: number;
  readonly batch: number;
  readonly rate: number;
  readonly decay: number;
  readonly factors: readonly number[];
  readonly losses: readonly number[];
  readonly weights: readonly (readonly number[])[];
}

const device = await sharedDevice();
const { head: steps } = golden<{ head: Steps }>("reasons");
const folder = await mkdtemp(join(tmpdir(), "acutance-reasons-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** As formula() of test/golden/reasons.py. */
const formula = (length: number, seed: number, scale = 1) =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(0.37 * (i + 1) + 1.9 * seed));

function madeHead(hidden = 3): ReasonHead {
  const inputs = statisticNames.length;
  return {
    mean: formula(inputs, 1),
    deviation: formula(inputs, 2).map((value) => 1 + value * value),
    hidden: { weight: formula(hidden * inputs, 3, 0.2), bias: formula(hidden, 4) },
    output: { weight: formula(classes.length * hidden, 5, 0.2), bias: formula(classes.length, 6) },
    ...{ temperature: 1.5, least: 0.4, good: 0.65 },
  };
}

describe("the head", () => {
  test("learns step by step as PyTorch in float64 does", async () => {
    const { inputs, hidden, batch, rate, decay, factors } = steps;
    using learner = new HeadLearner(
      device,
      new Random(1),
      { inputs, hidden, classes: steps.classes, batch },
      { rate, decay },
    );
    learner.write({
      hidden: { weight: formula(hidden * inputs, 1, 0.3), bias: formula(hidden, 2, 0.3) },
      output: { weight: formula(steps.classes * hidden, 3, 0.3), bias: formula(steps.classes, 4, 0.3) },
    });
    for (const [step, factor] of factors.entries()) {
      const truth = new Float32Array(batch * steps.classes);
      for (let i = 0; i < batch; i++) truth[i * steps.classes + ((i * 7 + step) % steps.classes)] = 1;
      expect(await learner.step(formula(batch * inputs, 10 + step), truth, factor)).toBeCloseTo(steps.losses[step]!, 5);
    }
    const { hidden: first, output } = await learner.read();
    [first.weight, first.bias, output.weight, output.bias].forEach((found, i) => {
      const errors = steps.weights[i]!.map((value, k) => Math.abs(found[k]! - value));
      expect(Math.max(...errors)).toBeLessThan(2e-5);
    });
  });

  test("tells apart what can be told, the same for the same seed", async () => {
    const random = new Random(3);
    const rows = Array.from({ length: 180 }, (_, i) => ({
      statistics: Array.from({ length: 6 }, (_, k) => (k === i % 3 ? 2 : 0) + 0.3 * random.normal()),
      truth: [0, 2, 8][i % 3]!,
    }));
    const options = { hidden: 8, steps: 60, batch: 32, rate: 0.03 };
    const [a, b, c] = [
      await trainHead(device, rows, options),
      await trainHead(device, rows, options),
      await trainHead(device, rows, { ...options, seed: 2 }),
    ];
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
    const whole = { ...a, temperature: 1, least: 0.5, good: 1 };
    const right = rows.filter(({ statistics, truth }) => {
      const probabilities = probabilitiesOf(whole, statistics);
      return probabilities.indexOf(Math.max(...probabilities)) === truth;
    });
    expect(right.length / rows.length).toBeGreaterThan(0.95);
  });

  test("stops at a signal", async () => {
    const rows = classes.map((_, truth) => ({ statistics: [truth], truth }));
    const signal = AbortSignal.abort(new Error("enough"));
    expect(trainHead(device, rows, { steps: 5, signal })).rejects.toThrow("enough");
  });
});

describe("what is told", () => {
  const at = (places: Partial<Record<(typeof classes)[number], number>>) => classes.map((name) => places[name] ?? 0);

  test("the most probable reasons from the threshold on, none where none is more probable", () => {
    expect(toldReasons(at({ blur: 0.5, noise: 0.4, none: 0.1 }), 0.3)).toEqual([
      { reason: "blur", probability: 0.5 },
      { reason: "noise", probability: 0.4 },
    ]);
    expect(toldReasons(at({ blur: 0.5, noise: 0.4, none: 0.1 }), 0.45).map(({ reason }) => reason)).toEqual(["blur"]);
    expect(toldReasons(at({ blur: 0.5, none: 0.5 }), 0.3)).toEqual([]);
    expect(toldReasons(at({ blur: 0.29, dark: 0.28, none: 0.1 }), 0.3)).toEqual([]);
  });

  test("temperature makes probabilities fit, the threshold leaves at most a tenth of the clean copies", () => {
    // Answers of 3 for a class that is right in 60 % of the copies: far too sure.
    const head = madeHead();
    const random = new Random(5);
    const copies = Array.from({ length: 300 }, () => {
      const statistics = Float64Array.from(statisticNames, () => 3 * random.normal());
      const answered = classes[random.integer(classes.length)]!;
      return { statistics, truth: answered, kind: "", level: 1 };
    });
    const { temperature, least } = calibrated(head, copies);
    const loss = (t: number) =>
      copies.reduce(
        (sum, { statistics, truth }) =>
          sum - Math.log(probabilitiesOf({ ...head, temperature: t }, statistics)[classes.indexOf(truth)]!),
        0,
      );
    for (const other of [temperature * 1.1, temperature / 1.1]) {
      if (temperature > 0.11 && temperature < 9) expect(loss(other)).toBeGreaterThanOrEqual(loss(temperature) - 1e-9);
    }
    const clean = copies.filter(({ truth }) => truth === "none");
    const told = clean.filter(
      ({ statistics }) => toldReasons(probabilitiesOf({ ...head, temperature }, statistics), least).length > 0,
    );
    expect(told.length / clean.length).toBeLessThanOrEqual(0.1);
  });

  test("the calibration error is that of the bins", () => {
    // Bin of 0.9: two of 0.95, one right: |1.9 − 1|; bin of 0.2: 0.25 wrong. Over three.
    expect(calibrationError([0.95, 0.95, 0.25], [true, false, false])).toBeCloseTo((0.9 + 0.25) / 3, 12);
    expect(calibrationError([1, 1], [true, true])).toBe(0);
    expect([...softened([0, Math.log(3)], 1)][1]).toBeCloseTo(0.75, 12);
  });
});

describe("the file", () => {
  test("comes back as it was written", async () => {
    const path = join(folder, "reasons.safetensors");
    await saveReasons(path, madeHead(), ["made by hand"]);
    expect(await openReasons(path)).toEqual(madeHead());
  });

  test("that comes along can be opened", async () => {
    const { least, good } = await openReasons(defaultReasons);
    expect(least).toBeGreaterThan(0);
    expect(good).toBeLessThanOrEqual(1);
  });

  test("is refused when damaged or of another kind", async () => {
    const path = join(folder, "damaged.safetensors");
    await saveReasons(path, madeHead(), []);
    const bytes = await readFile(path);
    bytes[bytes.length - 5]! ^= 1;
    await writeFile(path, bytes);
    expect(openReasons(path)).rejects.toThrow("the file is damaged");
    expect(openReasons(join(folder, "missing.safetensors"))).rejects.toThrow("no such file");
    const other = new URL("../../../models/weights/livec-v2.safetensors", import.meta.url).pathname;
    expect(openReasons(other)).rejects.toThrow("`acutance reasons` makes one");
  });
});
