import { describe, expect, test } from "bun:test";
import { type Inspection, inspectKernels } from "../../../engine/inspect/inspect.ts";
import { attentionWays } from "../../../engine/ops/attention-ways.ts";
import { contractionTiles, weightTiles } from "../../../engine/ops/contraction/tiles.ts";
import { missing } from "./radv.ts";
import { sourceOf, surveyedGpu, type Variant } from "./variants.ts";

const gpus = ["navi21", "navi31", "gfx1200"] as const;
const epilogue = { BIAS: false, NORM: false, ACTIVATION: "none", SCATTER: false };

interface Product {
  readonly name: string;
  readonly variant: Variant;
}

const products: readonly Product[] = [
  ...contractionTiles(surveyedGpu, 1000, 1000).flatMap(({ name, kernel, constants }) =>
    // In registers numbers of f16 are converted where they are used.
    [[], ...(kernel === "conv/tile" ? [] : [["x", "weight", "out"]])].map((halves) => ({
      name: `${kernel} ${name}${halves.length > 0 ? ", f16" : ""}`,
      variant: { kernel, constants: { ...constants, ...epilogue }, halves },
    })),
  ),
  ...weightTiles(surveyedGpu, 1000, 1000).map(({ name, kernel, constants }) => ({
    name: `${kernel} ${name}`,
    variant: { kernel, constants, halves: [] },
  })),
  ...["queries", "keys"].map((OWN, i) => ({
    name: `attention/shared_gradient of ${OWN}`,
    variant: {
      kernel: "attention/shared_gradient",
      constants: { ...attentionWays(surveyedGpu, 16)[0]!.constants, OWN, FUSED: false, SIDES: i + 1 },
      halves: [],
    },
  })),
].filter(({ variant }) => !("SUBGROUP" in variant.constants));

const load = /\b(?:buffer|global)_load/;
const waitsForLoads = /s_waitcnt.*vmcnt|s_wait_loadcnt/;
const multiplyAdd = /\bv_(?:dual_)?(?:pk_)?(?:fma|fmac|mad|mac)\w*_f(?:16|32)/;

/** Share of a loop's multiply-adds that are issued between a load of memory and the first wait for one. */
function shareBehindLoads({ assembly, hottestLoop }: Inspection): number {
  const lines = assembly.split("\n");
  const loop = hottestLoop!.lines.map((line) => lines[line]!);
  const all = loop.filter((line) => multiplyAdd.test(line)).length;
  const first = loop.findIndex((line) => load.test(line));
  if (first < 0) return 0;
  const behind = loop.slice(first);
  const wait = behind.findIndex((line) => waitsForLoads.test(line));
  const until = wait < 0 ? behind : behind.slice(0, wait);
  return until.filter((line) => multiplyAdd.test(line)).length / all;
}

/** Attention brings several slices in a turn of its loop, and rows of registers none. */
function isPrefetched({ kernel }: Variant): boolean {
  return kernel.startsWith("conv/shared_");
}

/** Exponentials are a part of attention's loop. */
function leastShare({ kernel }: Variant): number {
  return kernel.startsWith("attention/") ? 0.75 : 0.8;
}

const found =
  missing === undefined
    ? await inspectKernels(
        products.map(({ variant }) => sourceOf(variant)),
        { gpus },
      )
    : [];

describe("hot loops on RDNA 2, 3 and 4", () => {
  for (const [i, { name, variant }] of products.entries()) {
    test.skipIf(missing !== undefined)(name, () => {
      expect(found[i]).toHaveLength(gpus.length);
      for (const outcome of found[i]!) {
        if ("failure" in outcome) throw new Error(outcome.failure);
        const { gpu, hottestLoop } = outcome.inspection;
        expect([gpu, hottestLoop!.multiplyAddShare >= leastShare(variant)]).toEqual([gpu, true]);
        if (isPrefetched(variant)) expect([gpu, shareBehindLoads(outcome.inspection) >= 0.8]).toEqual([gpu, true]);
      }
    });
  }
});
