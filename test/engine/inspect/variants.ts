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
};

/**
 * Every kernel in every variant that a GPU runs: those of subgroups of 32 and 64 lanes in place of the software adapters' 4 and 8,
 * and of contractions and attention every tile that they have for GPUs.
 */
export function gpuVariants(): Variant[] {
  const found = new Map<string, Variant>();
  for (const variant of recorded()) {
    if (Object.hasOwn(leftOut, variant.kernel)) continue;
    for (const one of expansions[variant.kernel]?.(variant) ?? [variant]) found.set(JSON.stringify(one), one);
  }
  return [...found.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

export function nameOf({ kernel, constants, halves, wave }: Variant): string {
  return `${kernel} ${JSON.stringify(constants)} ${halves.join(",")} ${wave ?? ""}`;
}

export function sourceOf({ kernel, constants, halves }: Variant): InspectSource {
  const { wgsl } = specialise(kernel, constants, halves);
  return { kernel: { file: `${kernel}.wgsl`, wgsl, lines: [] } };
}

/** The limits of usual GPUs, and subgroups of so many lanes: all that tiles are chosen by. */
const gpuOf = (lanes: number) =>
  ({
    subgroupSize: lanes,
    gpu: { limits: { maxComputeWorkgroupStorageSize: 32768, maxComputeInvocationsPerWorkgroup: 1024 } },
  }) as Device;

/** Subgroups of unknown size, and the sizes of GPUs. */
const sizes = [undefined, 32, 64] as const;
const extents = [1, 2, 4, 8, 16, 64, 1000] as const;
/** Vec4s of a row of one head, of transformers in use. */
const widths = [1, 4, 8, 16, 20, 32] as const;

interface Way {
  readonly kernel: string;
  readonly constants: Constants;
  readonly wave?: 32 | 64;
}

/** Ways of all sizes of subgroups, each once. */
function ways(of: (device: Device) => readonly { kernel: string; constants: Constants }[]): Way[] {
  const found = sizes.flatMap((lanes) =>
    of(gpuOf(lanes ?? 0)).map(({ kernel, constants }): Way => {
      const named = constants["BROADCAST"] === true || constants["SOURCE"] === "subgroup";
      return { kernel, constants, ...(named && lanes && { wave: lanes }) };
    }),
  );
  return [...new Map(found.map((way) => [JSON.stringify(way), way])).values()];
}

const pairs = (of: (a: number, b: number) => readonly { kernel: string; constants: Constants }[]) =>
  extents.flatMap((a) => extents.flatMap((b) => of(a, b)));
const contractions = ways((device) => pairs((rows, columns4) => contractionTiles(device, rows, columns4)));
const weightGradients = ways((device) => pairs((rows4, columns4) => weightTiles(device, rows4, columns4)));
const attentions = (kernel: string) =>
  ways((device) =>
    widths.flatMap((width) => attentionWays(device, width).map(({ constants }) => ({ kernel, constants }))),
  );

/** A variant with the constants of each way in place of its own of the same names. */
function along(list: readonly Way[]) {
  return ({ constants, halves }: Variant): Variant[] => {
    const own = new Set(list.flatMap((way) => Object.keys(way.constants)));
    const rest = Object.fromEntries(Object.entries(constants).filter(([name]) => !own.has(name)));
    return list.map((way) => ({ ...way, constants: { ...way.constants, ...rest }, halves }));
  };
}

const expansions: Readonly<Record<string, (variant: Variant) => Variant[]>> = {
  "conv/tile": along(contractions),
  "conv/shared_tile": along(contractions),
  "conv/weight_gradient": along(weightGradients),
  "attention/forward": along(attentions("attention/forward")),
  "attention/gradient": along(attentions("attention/gradient")),
};
