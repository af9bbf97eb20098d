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
    const rows = await inspectKernels(own.map(sourceOf), { gpus: able, ...(wave && { wave }) });
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
