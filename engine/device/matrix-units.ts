import { environmentVariable } from "../host/environment.ts";

/** Types that subgroup matrices may have here. */
export type MatrixComponent = "f16" | "f32";

/** One entry of the adapter's `subgroupMatrixConfigs`: M x K times K x N matrices that a subgroup can multiply. */
export interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** A way to multiply with subgroup matrices, as the kernel `conv/matrix_tile` takes it. */
export interface MatrixUnit {
  /** What the operands are rounded to before they are multiplied. */
  readonly component: MatrixComponent;
  /** What products are added up in. */
  readonly sum: MatrixComponent;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** The adapter's largest subgroup size; M · N when emulated. */
  readonly lanes: number;
  /** Loops over workgroup memory in place of the matrix builtins. */
  readonly emulated: boolean;
}

/** What is wanted of subgroup matrices. */
export interface SubgroupMatrixOptions {
  /** Add up in f16 on adapters that list f16 products only with f16 sums. Three digits remain of a long sum. */
  readonly halfSums?: boolean;
  /** For tests: run the matrix kernels for such configurations on any adapter, with loops in place of the matrix builtins. */
  readonly emulated?: readonly MatrixConfig[];
}

export const matrixFeature = "chromium-experimental-subgroup-matrix";

/**
 * What the caller, or else the environment variable ACUTANCE_SUBGROUP_MATRICES, wants; undefined for nothing.
 * @throws RangeError when the variable is neither 0, 1 nor f16
 */
export function wantedMatrices(
  given: boolean | SubgroupMatrixOptions | undefined,
  environment = environmentVariable("ACUTANCE_SUBGROUP_MATRICES"),
): SubgroupMatrixOptions | undefined {
  if (given !== undefined) return typeof given === "object" ? given : given ? {} : undefined;
  if (!environment || environment === "0") return undefined;
  if (environment === "1") return {};
  if (environment === "f16") return { halfSums: true };
  throw new RangeError(`ACUTANCE_SUBGROUP_MATRICES is "${environment}"; it may be 0, 1, or f16 for sums in f16`);
}

/** Sides of a matrix that the tiles can be built from. */
const usableSide = (side: number) => side % 8 === 0 && 32 % side === 0;

/**
 * The units that these configurations allow, the best first, one for each pair of types: f16 with f32 sums, f16 with f16
 * sums when asked for, f32. Of several sizes the adapter's first, since drivers list those first that they prefer.
 */
export function matrixUnits(
  configs: readonly MatrixConfig[],
  lanes: number,
  { halfSums = false, emulated }: SubgroupMatrixOptions,
  half: boolean,
): MatrixUnit[] {
  const pairs: [MatrixComponent, MatrixComponent][] = [
    ...(half ? ([["f16", "f32"]] as [MatrixComponent, MatrixComponent][]) : []),
    ...(half && halfSums ? ([["f16", "f16"]] as [MatrixComponent, MatrixComponent][]) : []),
    ["f32", "f32"],
  ];
  return pairs.flatMap(([component, sum]) => {
    const config = configs.find(
      ({ componentType, resultComponentType, M, N, K }) =>
        componentType === component && resultComponentType === sum && [M, N, K].every(usableSide),
    );
    if (!config) return [];
    const { M, N, K } = config;
    return [{ component, sum, M, N, K, lanes: emulated ? M * N : lanes, emulated: emulated !== undefined }];
  });
}

/**
 * The units to try on an adapter: those it lists, or the emulated ones.
 * @param without features that must not be used
 */
export function adapterUnits(
  adapter: GPUAdapter,
  options: SubgroupMatrixOptions,
  without: readonly string[] = [],
): MatrixUnit[] {
  const has = (feature: string) => adapter.features.has(feature) && !without.includes(feature);
  const half = has("shader-f16");
  if (options.emulated) return matrixUnits(options.emulated, 0, options, half);
  if (!has(matrixFeature) || !has("subgroups")) return [];
  const info = adapter.info as GPUAdapterInfo & { subgroupMatrixConfigs?: readonly MatrixConfig[] };
  return matrixUnits([...(info.subgroupMatrixConfigs ?? [])], info.subgroupMaxSize ?? 0, options, half);
}

/** "16x16x16 f16 with sums in f32" */
export function unitName({ component, sum, M, N, K, emulated }: MatrixUnit): string {
  return `${emulated ? "emulated " : ""}${M}x${N}x${K} ${component} with sums in ${sum}`;
}
