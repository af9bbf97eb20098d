import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Device } from "../../../engine/device/device.ts";
import { type PropagateOptions, propagate } from "../../../engine/graph/propagate.ts";
import { type SparseMatrix, symmetricGraph } from "../../../engine/graph/sparse.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { relativeError } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";
import { rowsOf } from "./reference.ts";

interface Case {
  readonly name: string;
  readonly near: number[][];
  readonly weights: number[][];
  readonly rows: number[];
  readonly targets: number[][];
  readonly solutions: {
    readonly gamma: number;
    readonly scores: number[];
    readonly confidence: number[];
    readonly unreachable: number;
  }[];
}

const golden: Case[] = JSON.parse(readFileSync(new URL("../../golden/propagation.json", import.meta.url), "utf8"));

function graphOf(device: Device, near: number[][], weights: number[][]): SparseMatrix {
  const shape = [near.length, near[0]!.length] as const;
  const from = (numbers: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>) => Tensor.from(device, numbers, shape);
  return device.scope(() =>
    symmetricGraph(from(Uint32Array.from(near.flat())), from(Float32Array.from(weights.flat()))),
  );
}

/** A chain of so many points, each with an edge to the next. */
const chain = (points: number) => ({
  near: Array.from({ length: points }, (_, i) => [Math.min(i + 1, points - 1)]),
  weights: Array.from({ length: points }, () => [1]),
});

async function spread(
  device: Device,
  { near, weights, rows, targets }: Pick<Case, "near" | "weights" | "rows" | "targets">,
  options: PropagateOptions,
) {
  const m = targets[0]!.length;
  using graph = graphOf(device, near, weights);
  using given = Tensor.from(device, targets.flat(), [rows.length, m]);
  const { pseudoLabels, confidence, ...rest } = await propagate(graph, { rows, targets: given }, options);
  using p = pseudoLabels;
  using c = confidence;
  const vectors = rowsOf(await p.read(), m);
  const scores = vectors.map((row) => row.reduce((sum, share, j) => sum + share * j, 0));
  return { scores, vectors, confidence: [...(await c.read())], ...rest };
}

describe("labels that come far", () => {
  for (const { solutions, ...given } of golden)
    test.each(solutions.map((each) => [`gamma ${each.gamma}`, each] as const))(
      `${given.name}, %s, are those of dense float64`,
      async (_, { gamma, scores, confidence, unreachable }) => {
        const found = await spread(await sharedDevice(), given, { gamma, keepLabels: false });
        expect(found.unreachable).toBe(unreachable);
        expect(found.converged).toBe(true);
        // A thousandth of a step of the score set.
        expect(Math.max(...found.scores.map((score, i) => Math.abs(score - scores[i]!)))).toBeLessThan(1e-3);
        expect(Math.max(...found.confidence.map((each, i) => Math.abs(each - confidence[i]!)))).toBeLessThan(1e-3);
      },
    );

  test("one label is the label of all that it reaches, hundreds of steps away too", async () => {
    const label = [0, 0.25, 0.75, 0];
    for (const [points, gamma] of [
      [200, 0.3],
      [500, 0.9],
      [900, 0.999],
    ] as const) {
      const given = { ...chain(points), rows: [0], targets: [label] };
      const found = await spread(await sharedDevice(), given, { gamma });
      expect(found).toMatchObject({ unreachable: 0, converged: true });
      expect(
        relativeError(
          found.vectors.flat(),
          found.vectors.flatMap(() => label),
        ),
      ).toBeLessThan(1e-5);
    }
  });

  test("where the graph mirrors itself, so do the pseudo-labels", async () => {
    const points = 301;
    const given = {
      ...chain(points),
      rows: [0, points - 1],
      targets: [
        [1, 0, 0],
        [0, 0, 1],
      ],
    };
    const { vectors } = await spread(await sharedDevice(), given, { gamma: 0.7 });
    vectors.forEach((row, i) => {
      const [low, , high] = row as [number, number, number];
      expect(Math.abs(low - vectors[points - 1 - i]![2]!)).toBeLessThan(1e-4);
      expect(low + high).toBeCloseTo(1, 5);
    });
    expect(vectors[150]![0]).toBeCloseTo(0.5, 4);
  });

  test("gives the same bits twice, on small bindings the same labels, and keeps no buffers", async () => {
    const given = golden[0]!;
    const device = await sharedDevice();
    const first = await spread(device, given, { gamma: 0.5 });
    const before = device.memoryUse.usedBytes;
    expect(await spread(device, given, { gamma: 0.5 })).toEqual(first);
    await device.finish();
    expect(device.memoryUse.usedBytes).toBe(before);
    const plain = await spread(await plainDevice(), given, { gamma: 0.5 });
    expect(relativeError(plain.vectors.flat(), first.vectors.flat())).toBeLessThan(1e-5);
  });

  test("says so when the iterations do not suffice, and leaves no connected row without a label", async () => {
    const given = { ...chain(200), rows: [0], targets: [[0, 1]] };
    const found = await spread(await sharedDevice(), given, { gamma: 0.999, maximumIterations: 30 });
    expect(found).toMatchObject({ converged: false, unreachable: 0 });
  });
});
