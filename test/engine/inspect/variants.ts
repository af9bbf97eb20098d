import { readFileSync } from "node:fs";
import type { Device } from "../../../engine/device/device.ts";
import type { InspectSource } from "../../../engine/inspect/spirv.ts";
import { specialise } from "../../../engine/kernel/source.ts";
import type { Constants } from "../../../engine/kernel/template.ts";
import { attentionWays } from "../../../engine/ops/attention-ways.ts";
import { contractionTiles, weightTiles } from "../../../engine/ops/contraction/tiles.ts";

/** A kernel as the engine runs it. */
export interface Variant {
  readonly kernel: string;
  readonly constants: Constants;
  /** Variables stored as f16. */
  readonly halves: readonly string[];
  /** Lanes of the wave that it is made for, where it names them: then it runs on no other. */
  readonly wave?: 32 | 64;
}

const folder = new URL("./", import.meta.url);

/** What tests were seen to run here (`bun run kernels:record`), and what the roofs run. */
export function recorded(): Variant[] {
  return JSON.parse(readFileSync(new URL("variants.json", folder), "utf8")) as Variant[];
}

/** Kernels that are left out, with the reason. */
export const leftOut: Readonly<Record<string, string>> = {
  "conv/matrix_tile":
    "subgroup matrices: Dawn makes SPIR-V of them on an adapter that has some, and the loops that stand for them are for tests",
  "conv/weight_gradient": "for processors; GPUs run conv/shared_weight_gradient",
  "attention/forward": "for processors; GPUs with 17 KB of workgroup memory run attention/shared_forward",
  "attention/gradient": "for processors; GPUs with 17 KB of workgroup memory run attention/shared_gradient",
};

/**
 * Every kernel in every variant that a GPU runs: of contractions and attention every tile that they have for GPUs, in place of
 * those of software adapters.
 */
export function gpuVariants(): Variant[] {
  const found = new Map<string, Variant>();
  for (const variant of recorded()) {
    const expand = expansions[variant.kernel];
    if (Object.hasOwn(leftOut, variant.kernel) && !expand) continue;
    for (const one of expand?.(variant) ?? [variant]) found.set(JSON.stringify(one), one);
  }
  return [...found.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

export function nameOf({ kernel, constants, halves, wave }: Variant): string {
  return `${kernel} ${JSON.stringify(constants)} ${halves.join(",")} ${wave ?? ""}`;
}

export function sourceOf({ kernel, constants: { SUBGROUP: _, ...constants }, halves }: Variant): InspectSource {
  // The adapter at hand has no such subgroups; the driver is told which wave.
  const { wgsl } = specialise(kernel, constants, halves);
  return { kernel: { file: `${kernel}.wgsl`, wgsl, lines: [] } };
}

/** Whether the sources as they are have the constants of a variant. */
export function canBeMade(variant: Variant): boolean {
  try {
    sourceOf(variant);
    return true;
  } catch {
    return false;
  }
}

/** A GPU with subgroups of several sizes, one of which can be asked for: all that tiles are chosen by. */
export const surveyedGpu = {
  subgroups: { min: 32, max: 64 },
  subgroupSize: 0,
  features: new Set(["subgroups", "subgroup-size-control"]),
  isSoftware: false,
  gpu: { limits: { maxComputeWorkgroupStorageSize: 32768, maxComputeInvocationsPerWorkgroup: 1024 } },
} as unknown as Device;

const extents = [1, 2, 4, 8, 16, 64, 1000] as const;
/** Vec4s of a row of one head: 64 numbers, as transformers in use have, and the widest. */
const widths = [16, 32] as const;

interface Way {
  readonly kernel: string;
  readonly constants: Constants;
  readonly wave?: 32 | 64;
}

/** Ways, each once. */
function ways(of: readonly { kernel: string; constants: Constants }[]): Way[] {
  const found = of.map(({ kernel, constants }): Way => {
    const wave = constants["SUBGROUP"] as Way["wave"];
    return { kernel, constants, ...(wave && { wave }) };
  });
  return [...new Map(found.map((way) => [JSON.stringify(way), way])).values()];
}

const pairs = <T>(of: (a: number, b: number) => readonly T[]) =>
  extents.flatMap((a) => extents.flatMap((b) => of(a, b)));
const contractions = ways(pairs((rows, columns4) => contractionTiles(surveyedGpu, rows, columns4)));
const weightGradients = ways(pairs((rows4, columns4) => weightTiles(surveyedGpu, rows4, columns4)));
const attentions = ways(
  widths.flatMap((width) => attentionWays(surveyedGpu, width).map(({ constants }) => ({ kernel: "", constants }))),
);

/** Constants of contractions that are no tile's. */
const epilogue = ["BIAS", "NORM", "ACTIVATION", "SCATTER"];

/** A variant in each of the ways: of its own constants it keeps those named. */
function along(list: readonly Way[], kept: readonly string[]) {
  return ({ constants, halves }: Variant): Variant[] => {
    const rest = Object.fromEntries(kept.map((name) => [name, constants[name]!]));
    return list.map((way) => ({ ...way, constants: { ...way.constants, ...rest }, halves }));
  };
}

/** What stands for other kernels on GPUs is made from their variants. */
const none = () => [];

const expansions: Readonly<Record<string, (variant: Variant) => Variant[]>> = {
  "conv/shared_weight_gradient": none,
  "attention/shared_forward": none,
  "attention/shared_gradient": none,
  "conv/tile": along(contractions, epilogue),
  "conv/shared_tile": along(contractions, epilogue),
  "conv/weight_gradient": along(weightGradients, []),
  "attention/forward": (variant) =>
    along(attentions, [])(variant).map((way) => ({ ...way, kernel: "attention/shared_forward" })),
  "attention/gradient": (variant) => {
    const sides = variant.constants["OWN"] === "keys" ? 2 : 1;
    return along(attentions, ["OWN", "FUSED"])(variant).map(({ constants, ...way }) => ({
      ...way,
      kernel: "attention/shared_gradient",
      constants: { ...constants, SIDES: sides },
    }));
  },
};
