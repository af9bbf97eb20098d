import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cases, multiplications, resnetConvolutions } from "./cases.ts";
import { inverse, parameterData, permuted, permutedShape, relativeError, sizeOf, uniform } from "./data.ts";
import { inputData } from "./inputs.ts";
import { Field } from "./measure.ts";
import { parametersOf, resnet18, vit } from "./networks.ts";
import { EngineProcess } from "./process.ts";
import { markdownReport, terminalReport } from "./report.ts";
import { geometricMean, quantile, type Results, ratio } from "./results.ts";

const weights = (network: Parameters<typeof parametersOf>[0], statistics = false) =>
  parametersOf(network)
    .filter(({ name }) => statistics || !name.includes("running"))
    .reduce((total, { shape }) => total + sizeOf(shape), 0);

describe("cases", () => {
  test("the convolutions are those of torchvision's networks", () => {
    expect(resnetConvolutions(18)).toHaveLength(20);
    expect(resnetConvolutions(50)).toHaveLength(53);
    // 1.81 and 4.09 billion multiplications a picture; the last layer has the rest.
    const total = (depth: 18 | 50) => resnetConvolutions(depth).reduce((sum, shape) => sum + multiplications(shape), 0);
    expect(total(18) + 512 * 1000).toBe(1_814_073_344);
    expect(total(50) + 2048 * 1000).toBe(4_089_184_256);
    // 11 different ones in ResNet-18, 23 in ResNet-50, 5 of them in both.
    expect(cases.filter(({ group }) => group === "conv")).toHaveLength(11 + 23 - 5);
  });

  test("the networks have the published numbers of weights", () => {
    expect(weights(resnet18(true))).toBe(11_689_512);
    expect(weights(vit(192, 3))).toBe(5_717_416);
  });

  test("names are unique, and every group has a quick case", () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    expect(new Set(cases.filter(({ quick }) => quick).map(({ group }) => group)).size).toBe(7);
  });
});

describe("numbers", () => {
  test("permuted moves axes, and inverse undoes it", () => {
    const data = Float32Array.of(0, 1, 2, 3, 4, 5);
    expect([...permuted(data, [2, 3], [1, 0])]).toEqual([0, 3, 1, 4, 2, 5]);
    const shape = [2, 3, 4, 5];
    const order = [2, 3, 1, 0];
    const numbers = uniform("x", 120);
    const moved = permuted(numbers, shape, order);
    expect(moved[1]).toBe(numbers[60]!);
    expect(permuted(moved, permutedShape(shape, order), inverse(order))).toEqual(numbers);
  });

  test("uniform numbers fill [-1, 1) evenly and differ by name", () => {
    const numbers = uniform("weight", 10_000);
    const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
    const square = numbers.reduce((a, b) => a + b * b, 0) / numbers.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(square - 1 / 3)).toBeLessThan(0.01);
    expect(uniform("weight", 3)).not.toEqual(uniform("bias", 3));
  });

  test("statistics of times", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2);
    expect(geometricMean([0.5, 2, 8])).toBeCloseTo(2);
    expect(geometricMean([])).toBeUndefined();
    expect(relativeError(Float32Array.of(3, 4.5), Float32Array.of(3, 4))).toBeCloseTo(0.1);
    expect(relativeError(Float32Array.of(3, Number.NaN), Float32Array.of(3, 4))).toBeNaN();
    expect(relativeError(Float32Array.of(3), Float32Array.of(3, 4))).toBeNaN();
  });
});

describe("engines in processes", () => {
  const options = { runs: 3, budgetSeconds: 5, timeoutSeconds: 60 };

  test("our engine multiplies as a loop does, and is timed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "acutance-rivals-test-"));
    const field = new Field({ ...options, folder });
    try {
      await field.open("acutance");
      const wanted = cases.find(({ name }) => name.startsWith("ViT-Tiny head"))!;
      const { cells } = await field.measure(wanted);
      const cell = cells.acutance!;
      expect(cell.is).toBe("measured");
      if (cell.is === "measured") expect(cell.ms).toHaveLength(3);
      const found = new Float32Array(await Bun.file(join(folder, "acutance.f32")).arrayBuffer());
      const x = inputData(wanted)[0]!;
      const weight = parameterData("weight", [1000, 192]);
      const expected = Float32Array.from({ length: 1000 }, (_, o) =>
        x.reduce((total, value, i) => total + value * weight[o * 192 + i]!, 0),
      );
      expect(relativeError(found, expected)).toBeLessThan(1e-5);
    } finally {
      field.close();
      rmSync(folder, { recursive: true });
    }
  });

  test("an engine that cannot start, or does not answer, is an error with the reason", async () => {
    await expect(EngineProcess.open("none" as never, 30)).rejects.toThrow('no engine is called "none"');
    await expect(EngineProcess.open("acutance", 0.001)).rejects.toThrow("no answer within 0.001 s");
    const engine = await EngineProcess.open("acutance", 60);
    const lost = engine.ask({ do: "prepare", name: "nothing", outputs: "" }, 60);
    expect(await lost).toEqual({ is: "failed", reason: 'Error: no case is called "nothing"' });
    engine.close();
    await expect(engine.ask({ do: "run" }, 60)).rejects.toThrow("the process ended by SIGKILL");
  });
});

describe("report", () => {
  const measured = (...ms: number[]) => ({ is: "measured", ms, firstSeconds: 1, relativeError: 1e-6 }) as const;
  const results: Results = {
    format: 1,
    date: "2026-01-02",
    circumstances: {
      machine: "a machine",
      adapter: "an adapter",
      runtime: "Bun",
      commit: "abc",
      runs: 3,
      budgetSeconds: 1,
      versions: { acutance: "1", ort: "2", jax: "3" },
    },
    absent: { tfjs: "no package" },
    notes: { ort: "a peculiarity" },
    rows: [
      { group: "conv", name: "one", cells: { acutance: measured(1, 2, 3), ort: measured(4), jax: measured(1) } },
      {
        group: "conv",
        name: "two",
        cells: {
          acutance: measured(2),
          ort: measured(16),
          jax: { is: "mismatch", relativeError: 0.5 },
        },
      },
      {
        group: "step",
        name: "three",
        cells: { acutance: measured(2), ort: { is: "not offered", reason: "no training" }, jax: measured(4) },
      },
    ],
  };

  test("ratios, means, and the reasons of gaps", () => {
    expect(ratio(results.rows[0]!, "ort")).toBe(0.5);
    expect(ratio(results.rows[1]!, "jax")).toBeUndefined();
    const markdown = markdownReport(results);
    expect(markdown).toContain("| convolutions | 0.25 (2 of 2) | 2.00 (1 of 2) | - |");
    expect(markdown).toContain(
      "| two | 2.00 (2.00-2.00) | 16.0 (16.0-16.0) | 0.13 | wrong by 5.0e-1 |  | absent [1] |",
    );
    expect(markdown).toContain("TensorFlow.js: no package");
    expect(markdown).toContain("| three | 2.00 (2.00-2.00) | - [2] |");
    expect(terminalReport(results)).toContain("onnxruntime-node: no training");
    expect(markdown).toContain("onnxruntime-node: a peculiarity.");
  });
});
