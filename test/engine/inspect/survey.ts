import { readFileSync } from "node:fs";
import { type Inspection, inspectKernels } from "../../../engine/inspect/inspect.ts";
import type { Occupancy } from "../../../engine/inspect/occupancy.ts";
import { targetNamed } from "../../../engine/inspect/targets.ts";
import { sourceOf, type Variant } from "./variants.ts";

/** The variant of a kernel that is worst off on a GPU: most spills, then fewest waves, then most registers. */
export interface Worst {
  readonly variant: Variant;
  readonly spilledVector: number;
  readonly spilledScalar: number;
  readonly waves: number;
  readonly limit: Occupancy["limit"];
  readonly vectorRegisters: number;
}

/** By kernel, then GPU; `variants` are those that run there. */
export type Survey = Readonly<Record<string, Readonly<Record<string, Worst & { readonly variants: number }>>>>;

/** Waves that every kernel should keep on a SIMD. */
export const wantedWaves = 4;

/** Why a kernel keeps fewer waves somewhere in some variant. */
export const reasons: Readonly<Record<string, string>> = {
  "attention/shared_forward": "rows of 128 numbers have twice the sums; GCN has half of RDNA's registers",
  "attention/shared_gradient":
    "the sums of two gradients; in subgroups of 32, which RDNA is offered too, it keeps four",
  "conv/depthwise": "a kernel 4x4 with stride 5 reaches over 19 columns, all held",
  "conv/depthwise_weight_gradient": "a kernel 4x4 with stride 5 reaches over 19 columns, all held",
  "conv/shared_tile":
    "the two larger tiles have 32 and 64 sums for each invocation; of the tiles offered two keep four waves everywhere",
  "conv/shared_weight_gradient":
    "the largest tile has 64 sums for each invocation; the others keep four waves everywhere",
  "conv/tile": "eight rows of f16 are read to registers before they are numbers; the form of four rows keeps more",
  "graph/merge": "lists of 68 places, of 64 neighbours, are held in registers; 10 neighbours take 16",
  "graph/rank": "lists of 64 places are held in registers; 10 neighbours take 16",
};

/** Whether a kernel is as it should be. */
export function isGood({ spilledVector, waves }: Pick<Worst, "spilledVector" | "waves">): boolean {
  return spilledVector === 0 && waves >= wantedWaves;
}

/** What `bun run kernels:survey` wrote. */
export function knownSurvey(): Survey {
  return JSON.parse(readFileSync(new URL("survey.json", import.meta.url), "utf8")) as Survey;
}

export interface Finding extends Worst {
  readonly gpu: string;
}

/**
 * Compiles variants for GPUs, each with the wave that it is made for.
 * @param refused told of what a compiler refuses
 */
export async function findings(
  variants: readonly Variant[],
  gpus: readonly string[],
  refused: (why: string) => void,
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const wave of [undefined, 32, 64] as const) {
    const own = variants.filter((variant) => variant.wave === wave);
    const able = gpus.filter((gpu) => wave === undefined || targetNamed(gpu).waves.includes(wave));
    if (own.length === 0 || able.length === 0) continue;
    const rows = await inspectKernels(own.map(sourceOf), { gpus: able, figuresOnly: true, ...(wave && { wave }) });
    for (const [i, row] of rows.entries()) {
      for (const outcome of row) {
        if ("failure" in outcome) refused(`${JSON.stringify(own[i])} on ${outcome.gpu}: ${outcome.failure}`);
        else found.push(findingOf(own[i]!, outcome.inspection));
      }
    }
  }
  return found;
}

function findingOf(variant: Variant, { gpu, occupancy, ...code }: Inspection): Finding {
  return {
    gpu,
    variant,
    spilledVector: code.spilledVectorRegisters!,
    spilledScalar: code.spilledScalarRegisters!,
    waves: occupancy!.waves,
    limit: occupancy!.limit,
    vectorRegisters: code.vectorRegisters!,
  };
}

export function isWorse(a: Worst, b: Worst): boolean {
  const order = [
    a.spilledVector - b.spilledVector,
    b.waves - a.waves,
    a.spilledScalar - b.spilledScalar,
    a.vectorRegisters - b.vectorRegisters,
  ];
  return (order.find((difference) => difference !== 0) ?? 0) > 0;
}
