import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { usualTargets } from "../../../engine/inspect/targets.ts";
import { kernelNames } from "../../../engine/kernel/catalogue.ts";
import { contractionTiles, weightTiles } from "../../../engine/ops/contraction/tiles.ts";
import { missing } from "./radv.ts";
import { findings, isGood, knownSurvey, reasons, wantedWaves } from "./survey.ts";
import { canBeMade, gpuVariants, leftOut, nameOf, surveyedGpu } from "./variants.ts";

const survey = knownSurvey();
const record =
  "after `bun run kernels:record` with the tests that run the kernel, and `bun run kernels:survey` with its name, it is as it should be";

test("every kernel of the engine is in the survey, or left out with a reason", () => {
  const known = new Set([...Object.keys(survey), ...Object.keys(leftOut)]);
  const unknown = kernelNames().filter((name) => !known.has(name));
  expect({ unknown, record }).toEqual({ unknown: [], record });
  const gone = [...known].filter((name) => !kernelNames().includes(name));
  expect({ gone, record }).toEqual({ gone: [], record });
});

test("every variant can be made of the sources as they are, and every GPU of the survey has them", () => {
  const broken = gpuVariants()
    .filter((variant) => !canBeMade(variant))
    .map(nameOf);
  expect({ broken, record }).toEqual({ broken: [], record });
  for (const row of Object.values(survey)) {
    expect(Object.keys(row)).toEqual([...usualTargets]);
  }
});

test("no kernel spills vector registers, and each keeps four waves on a SIMD or has a reason not to", () => {
  const spilling = Object.entries(survey).filter(([, row]) =>
    Object.values(row).some((entry) => entry.spilledVector > 0),
  );
  expect(spilling.map(([kernel]) => kernel)).toEqual([]);
  const few = Object.entries(survey).filter(([, row]) => !Object.values(row).every(isGood));
  expect(few.map(([kernel]) => kernel).sort()).toEqual(Object.keys(reasons).sort());
});

describe("of the ways offered to a GPU", () => {
  const matrix = { BIAS: false, NORM: false, ACTIVATION: "none", SCATTER: false };
  const offers = {
    "a contraction": contractionTiles(surveyedGpu, 1000, 1000).map((tile) => ({ ...tile, rest: matrix })),
    "a contraction of few rows": contractionTiles(surveyedGpu, 4, 1000).map((tile) => ({ ...tile, rest: matrix })),
    "the gradient of a weight": weightTiles(surveyedGpu, 1000, 1000).map((tile) => ({ ...tile, rest: {} })),
  };
  for (const [operation, ways] of Object.entries(offers)) {
    test.skipIf(missing !== undefined)(`one keeps four waves on every GPU: ${operation}`, async () => {
      const variants = ways
        .filter(({ constants }) => !("SUBGROUP" in constants))
        .map(({ kernel, constants, rest }) => ({ kernel, constants: { ...constants, ...rest }, halves: [] }));
      const found = await findings(variants, usualTargets, (why) => {
        throw new Error(why);
      });
      expect(found).toHaveLength(variants.length * usualTargets.length);
      for (const gpu of usualTargets) {
        const waves = found.filter((finding) => finding.gpu === gpu).map((finding) => finding.waves);
        expect([gpu, Math.max(...waves) >= wantedWaves]).toEqual([gpu, true]);
      }
    });
  }
});

describe("on two GPUs, the worst variant of every kernel", () => {
  const gpus = ["vega10", "navi31"] as const;

  test.skipIf(missing !== undefined)("spills no more and keeps no fewer waves than the survey says", async () => {
    for (const gpu of gpus) {
      const worst = Object.values(survey).map((row) => row[gpu]!);
      const refused: string[] = [];
      const found = await findings(
        worst.map(({ variant }) => variant),
        [gpu],
        (why) => refused.push(why),
      );
      expect(refused).toEqual([]);
      expect(found).toHaveLength(worst.length);
      for (const { variant, waves, spilledVector, spilledScalar } of found) {
        const known = worst.find((entry) => nameOf(entry.variant) === nameOf(variant))!;
        const told = `${nameOf(variant)} on ${gpu}`;
        expect([told, Math.max(spilledVector, known.spilledVector)]).toEqual([told, known.spilledVector]);
        expect([told, Math.max(spilledScalar, known.spilledScalar)]).toEqual([told, known.spilledScalar]);
        expect([told, Math.min(waves, known.waves)]).toEqual([told, known.waves]);
      }
    }
  });
});

test("the table of the README is that of the survey", () => {
  const readme = readFileSync(new URL("../../../engine/inspect/README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^\| ([a-z0-9_]+\/[a-z0-9_]+) \| (\d+) \| (.+) \|$/gm)];
  const tight = Object.entries(survey).filter(([, row]) =>
    Object.values(row).some((entry) => entry.waves < 8 || entry.spilledVector + entry.spilledScalar > 0),
  );
  expect(rows.map(([, kernel]) => kernel)).toEqual(tight.map(([kernel]) => kernel).sort());
  for (const [, kernel, , cells] of rows) {
    const waves = cells!.split(" | ").map((cell) => Number.parseInt(cell, 10));
    expect([kernel, waves]).toEqual([kernel, usualTargets.map((gpu) => survey[kernel!]![gpu]!.waves)]);
  }
});
