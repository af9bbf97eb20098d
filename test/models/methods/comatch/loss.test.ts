import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import type { Device } from "../../../../engine/device/device.ts";
import { l2Normalise } from "../../../../engine/ops/normalise-l2.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import {
  type CoMatchLoss,
  contrast,
  graphLoss,
  guess,
  guessGraph,
  unlabelledLoss,
} from "../../../../models/methods/comatch/loss.ts";
import { Alignment } from "../../../../models/methods/parts/alignment.ts";
import { Bank } from "../../../../models/methods/parts/bank.ts";
import { taken } from "../../../../models/methods/parts/consistency.ts";
import { relativeError } from "../../../engine/check.ts";
import { plainDevice, sharedDevice } from "../../../engine/device.ts";
import { differences, lossOf, softmaxRows, strong, weak } from "../parts/logits.ts";

const options: CoMatchLoss = {
  ...{ threshold: 0.8, similarityTemperature: 0.2, ownShare: 0.9 },
  ...{ graphThreshold: 0.3, graphWeight: 1, unlabelledWeight: 1 },
};
const aligned = { momentum: 0.999, prior: "uniform" as const, priorShares: [], alignWindow: 32, levels: 3 };
const [f, first, second] = [
  [1, 0.1, 0.2, 1, 0.5, 0.5],
  [1, 0, 0, 1, 1, 1],
  [1, 0.2, 0.1, 1, -1, 0.5],
];

const rows = (device: Device, numbers: readonly number[], columns = 2) =>
  Tensor.from(device, [...numbers], [numbers.length / columns, columns]);
const units = (device: Device, numbers: readonly number[]) => l2Normalise(rows(device, numbers));

function memoryOf(device: Device, isFull: boolean) {
  const alignment = new Alignment(device, aligned, [], { window: "empty", epsilon: 1e-12 });
  const bank = new Bank(device, "bank", { rows: 3, length: 2, levels: 3 }, "");
  if (isFull)
    device.scope(() => {
      const answers = rows(device, [1, 0, 0, 0, 0.9, 0.1, 0.2, 0.2, 0.6], 3);
      const places = Tensor.from(device, Uint32Array.of(0, 1, 2), [3]);
      bank.write(units(device, [1, 0, 0, 1, -1, 0]), answers, places);
    });
  const smooths = Tensor.from(device, [isFull ? 1 : 0], [1]);
  return { alignment, bank, smooths };
}

const step = (device: Device, isFull: boolean, given = {}, changed: Partial<CoMatchLoss> = {}) =>
  lossOf(device, given, ({ weak: w, strong: s }) => {
    const embeddings = { weak: units(device, f), first: units(device, first), second: units(device, second) };
    const memory = memoryOf(device, isFull);
    const seen = { weak: w, strong: s, embeddings };
    const { guessed, ...learnt } = unlabelledLoss(undefined, seen, memory, { ...options, ...changed });
    const graph = guessGraph(guessed.target, { ...options, ...changed }.graphThreshold);
    return { ...learnt, more: { q: guessed.target, mask: guessed.mask, graph } };
  });

describe("the loss of unlabelled pictures", () => {
  test("before the bank is full", async () => {
    for (const open of [sharedDevice, plainDevice]) {
      const { loss, figures, more } = await step(await open(), false);
      const q = [0.924592, 0.02023, 0.055178, 0.047789, 0.695489, 0.256723, 0.210589, 0.227632, 0.56178];
      expect(relativeError(more["q"]!, q)).toBeLessThan(2e-6);
      expect(figures[contrast]).toBeCloseTo(1.915925, 5);
      expect(loss).toBeCloseTo(0.179397 + 1.915925, 5);
      const graph = [1, 0, 0, 0, 0.761846, 0.238154, 0, 0.238154, 0.761846];
      expect(relativeError(more["graph"]!, graph)).toBeLessThan(3e-6);
      expect(more["mask"]).toEqual([1, 0, 0]);
    }
  });

  test("with guesses smoothed by the bank", async () => {
    for (const open of [sharedDevice, plainDevice]) {
      const { loss, figures } = await step(await open(), true);
      expect(figures[contrast]).toBeCloseTo(1.916117, 5);
      expect(loss).toBeCloseTo(0.175458 + 1.916117, 5);
      const weighed = await step(await open(), true, {}, { unlabelledWeight: 2, graphWeight: 3 });
      expect(weighed.loss).toBeCloseTo(2 * 0.175458 + 3 * 1.916117, 4);
    }
  });

  test("halves when as many pictures are added of which nothing is sure", async () => {
    const device = await sharedDevice();
    const unsure = [0.2, 0.1, 0, 0, 0, 0, 0.1, 0.2, 0.3];
    const own = (given: object) =>
      lossOf(device, given, ({ weak: w, strong: s }) => {
        const count = w.shape[0]!;
        const any = () =>
          units(
            device,
            Array.from({ length: 2 * count }, (_, i) => 1 + (i % 3)),
          );
        const embeddings = { weak: any(), first: any(), second: any() };
        const alignment = new Alignment(device, { ...aligned, prior: "off" }, []);
        const memory = { ...memoryOf(device, false), alignment };
        return unlabelledLoss(undefined, { weak: w, strong: s, embeddings }, memory, { ...options, graphWeight: 0 });
      });
    const alone = await own({});
    const more = await own({ weak: [...weak, ...unsure], strong: [...strong, ...unsure] });
    expect(more.loss).toBeCloseTo(alone.loss / 2, 6);
    expect(more.figures[taken]).toBeCloseTo(alone.figures[taken]! / 2, 6);
  });

  test("has no gradient by the weak views, and that of its mean by the strong ones", async () => {
    const device = await sharedDevice();
    const found = await step(device, true);
    expect(found.weak).toEqual(Array(9).fill(0));
    const q = found.more["q"]!;
    const loss = (logits: number[]) =>
      softmaxRows(logits).reduce(
        (sum, p, b) => sum - found.more["mask"]![b]! * p.reduce((all, x, c) => all + q[3 * b + c]! * Math.log(x), 0),
        0,
      ) / 3;
    expect(relativeError(found.strong, differences(loss, strong))).toBeLessThan(1e-5);
  });
});

describe("the loss of the graph", () => {
  const lossBy = async (device: Device, graph: number[], a: number[], b: number[]) => {
    const reads = device.scope(() => {
      const [x, y] = [rows(device, a), rows(device, b)];
      x.requiresGradient = true;
      y.requiresGradient = true;
      const loss = graphLoss(rows(device, graph, 3), x, y, 0.2);
      backward(loss);
      return { loss: loss.item(), slopes: [x.gradient!.read(), y.gradient!.read()] };
    });
    const [byFirst, bySecond] = await Promise.all(reads.slopes);
    return { loss: await reads.loss, slopes: [[...byFirst!], [...bySecond!]] };
  };
  const formula = (graph: number[]) => (a: number[], b: number[]) => {
    let sum = 0;
    for (let i = 0; i < 3; i++) {
      const z = [0, 1, 2].map((j) => Math.exp((a[2 * i]! * b[2 * j]! + a[2 * i + 1]! * b[2 * j + 1]!) / 0.2));
      const total = z.reduce((x, y) => x + y);
      for (let j = 0; j < 3; j++) sum -= graph[3 * i + j]! * Math.log(z[j]! / total + 1e-7);
    }
    return sum / 3;
  };

  test("has gradients by the embeddings of both strong views", async () => {
    const graph = [1, 0, 0, 0, 0.7, 0.3, 0.2, 0.2, 0.6];
    const { loss, slopes } = await lossBy(await sharedDevice(), graph, first, second);
    const f = formula(graph);
    expect(loss).toBeCloseTo(f(first, second), 5);
    expect(
      relativeError(
        slopes[0]!,
        differences((x) => f(x, second), first),
      ),
    ).toBeLessThan(1e-4);
    expect(
      relativeError(
        slopes[1]!,
        differences((x) => f(first, x), second),
      ),
    ).toBeLessThan(1e-4);
  });

  test("is InfoNCE between the strong views when only equal guesses are neighbours", async () => {
    const device = await sharedDevice();
    const { figures, more } = await step(device, true, {}, { graphThreshold: 1 });
    expect(more["graph"]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    const length = (x: number[]) => x.map((value, i) => value / Math.hypot(x[i - (i % 2)]!, x[i - (i % 2) + 1]!));
    expect(figures[contrast]).toBeCloseTo(formula([1, 0, 0, 0, 1, 0, 0, 0, 1])(length(first), length(second)), 5);
  });

  test("takes earlier pictures for neighbours, too, where there is a bank of them", async () => {
    const device = await sharedDevice();
    const reads = device.scope(() => {
      const { bank } = memoryOf(device, true);
      const q = rows(device, [0.9, 0.1, 0, 0, 0.8, 0.2], 3);
      return { graph: guessGraph(q, 0.5, bank).read() };
    });
    // q · y: 0.9, 0.09, 0.2 and 0, 0.74, 0.28.
    const wanted = [1, 0, 0.9, 0, 0, 0, 1, 0, 0.74, 0].map((value, i) => value / (i < 5 ? 1.9 : 1.74));
    expect(relativeError([...(await reads.graph)], wanted)).toBeLessThan(1e-6);
  });
});

test("rows of a bank that are not there say nothing", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const bank = new Bank(device, "bank", { rows: 4, length: 2, levels: 3 }, "");
    const places = Tensor.from(device, Uint32Array.of(1, 3), [2]);
    bank.write(units(device, [1, 0, 0, 1]), rows(device, [1, 0, 0, 0, 1, 0], 3), places);
    // No number is written over one.
    const nothing = Tensor.from(device, Uint32Array.of(3, 0), [2]);
    bank.write(rows(device, [Number.NaN, 1, 0, 1]), rows(device, [0, 0, 1, 0, Number.NaN, 1], 3), nothing);
    const embeddings = { weak: units(device, [1, 0.1]) };
    const { alignment } = memoryOf(device, false);
    const memory = { alignment, bank, smooths: Tensor.from(device, [1], [1]) };
    const seen = { weak: rows(device, [0, 0, 0], 3), embeddings: embeddings as never };
    return {
      answers: bank.answers.read(),
      q: guess(undefined, seen, memory, { ...options, ownShare: 0 }).target.read(),
    };
  });
  expect([...(await reads.answers)]).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]);
  const [a, b] = [1, 0.1].map((x) => Math.exp(x / Math.hypot(1, 0.1) / 0.2));
  expect(relativeError([...(await reads.q)], [a! / (a! + b!), b! / (a! + b!), 0])).toBeLessThan(1e-5);
});

test("multiples of the mean guesses change nothing", async () => {
  const device = await sharedDevice();
  const aligned4 = { ...aligned, alignWindow: 4 };
  const reads = device.scope(() =>
    [1, 64].map((factor) => {
      const alignment = new Alignment(device, aligned4, [], { window: "empty", epsilon: 1e-12 });
      const q = rows(device, [0.7, 0.2, 0.1, 0.3, 0.3, 0.4], 3);
      alignment.aligned(rows(device, [0.5 * factor, 0.2 * factor, 0.3 * factor], 3));
      const { tensor } = alignment.tensors()[0]!;
      tensor.write(Float32Array.from([0, 0, 0, 0, 0, 0, 0.2, 0.3, 0.5, 0.5, 0.4, 0.1], (x) => x * factor));
      return alignment
        .aligned(factor === 1 ? q : rows(device, [0.7 * 64, 0.2 * 64, 0.1 * 64, 0.3 * 64, 0.3 * 64, 0.4 * 64], 3))
        .read();
    }),
  );
  const [one, many] = await Promise.all(reads);
  expect(relativeError([...many!], [...one!])).toBeLessThan(1e-6);
});
