import { availableParallelism } from "node:os";
import { readAssembly } from "./assembly.ts";
import { nullDevice } from "./driver.ts";
import { InspectError, InspectUsageError } from "./errors.ts";
import { type CodeFigures, estimatedMultiplyAdds, figuresOf, hottestLoop, type Loop } from "./loops.ts";
import { type Occupancy, occupancyOf } from "./occupancy.ts";
import { type Answer, inProcesses } from "./processes.ts";
import { type InspectSource, type Spirv, toSpirv } from "./spirv.ts";
import { type Target, targetNamed } from "./targets.ts";
import type { CompileRequest, Executable } from "./vulkan.ts";

export interface InspectOptions {
  /** GPUs to compile for, by the names of `targets`; the adapter at hand unless given, where its driver tells. */
  readonly gpus?: readonly string[];
  /** Lanes of a wave; the driver's choice unless given. */
  readonly wave?: number;
  /** Leaves out the assembly, what is read from it, and most of the time. */
  readonly figuresOnly?: boolean;
}

/** What a driver makes of a kernel for one GPU. What the driver does not tell is null. */
export interface Inspection {
  /** Name of the target, or of the device as its driver names it. */
  readonly gpu: string;
  readonly device: string;
  /** Lanes of a wave (a subgroup). */
  readonly wave: number;
  readonly workgroup: readonly [number, number, number];
  readonly vectorRegisters: number | null;
  readonly scalarRegisters: number | null;
  readonly spilledVectorRegisters: number | null;
  readonly spilledScalarRegisters: number | null;
  /** Of an invocation's private memory for a wave, spills included. */
  readonly scratchBytes: number | null;
  /** Of one workgroup. */
  readonly workgroupBytes: number | null;
  /** Waves of a SIMD at the same time and what limits them; null where the GPU is not among `targets`. */
  readonly occupancy: Occupancy | null;
  readonly codeBytes: number | null;
  /** The compiler's estimates in cycles: good to compare kernels on one GPU, and no measurement. */
  readonly estimates: {
    /** Until a wave has ended, were it alone. */
    readonly latency: number | null;
    /** That a wave keeps a SIMD busy. */
    readonly inverseThroughput: number | null;
    /**
     * Of a SIMD for 1000 multiply-adds: the throughput over those that it is for, with the compiler's own guess of how often loops run.
     * It compares tiles of unequal size. Null without multiply-adds.
     */
    readonly cyclesPerThousand: number | null;
  };
  /** The whole code; null where its assembly is not of a kind that is read here. */
  readonly code: CodeFigures | null;
  readonly hottestLoop: Loop | null;
  /** The driver's figures by the driver's names. */
  readonly statistics: Readonly<Record<string, number>>;
  readonly assembly: string;
}

/** A kernel on one GPU: what came of it, or why nothing did. */
export type InspectOutcome =
  | { readonly gpu: string; readonly inspection: Inspection }
  | { readonly gpu: string; readonly failure: string; readonly usage?: boolean };

/** Name of the GPU where none was asked for and none answered. */
const atHand = "adapter";

/**
 * Compiles kernels for GPUs, which need not be there, with their real compilers, and reads what they tell of it. Every
 * driver runs in a process of its own.
 * @returns for each source the outcomes by GPU, in the order asked for
 * @throws InspectError when something that is needed is missing, or a GPU's name is unknown
 */
export async function inspectKernels(
  sources: readonly InspectSource[],
  { gpus, wave, figuresOnly }: InspectOptions = {},
): Promise<InspectOutcome[][]> {
  const targets = gpus?.map(targetNamed);
  for (const target of targets ?? []) {
    nullDevice(target.name);
    if (wave !== undefined && !target.waves.includes(wave))
      throw new InspectUsageError(
        `${target.name} (${target.architecture}) has waves of ${target.waves.join(" and ")} lanes, not of ${wave}`,
      );
  }
  const modules = await toSpirv(sources);
  const valid = modules.flatMap((module, i) => ("done" in module ? [{ module: module.done, i }] : []));
  const columns = await limited<() => Promise<Answer<Executable>[]>, Answer<Executable>[]>(
    (targets ?? [undefined]).map(
      (target) => () =>
        compiled(
          valid.map(({ module }) => ({ kernel: module, wave, figuresOnly })),
          target,
        ),
    ),
    (work) => work(),
  );
  return modules.map((module, i) =>
    columns.map((column, t): InspectOutcome => {
      const target = targets?.[t];
      const gpu = target?.name ?? atHand;
      if ("failed" in module) return { gpu, failure: module.failed, ...(module.blame === "usage" && { usage: true }) };
      const answer = column[valid.findIndex((entry) => entry.i === i)]!;
      if ("failed" in answer) return { gpu, failure: answer.failed };
      return { gpu: target?.name ?? answer.done.device, inspection: inspectionOf(answer.done, module.done, target) };
    }),
  );
}

async function compiled(requests: readonly CompileRequest[], target: Target | undefined) {
  if (requests.length === 0) return [];
  const answers = await inProcesses<CompileRequest, Executable>({
    script: new URL("vulkan-process.ts", import.meta.url),
    requests,
    ...(target && { environment: nullDevice(target.name) }),
  });
  for (const answer of answers) {
    if (!("failed" in answer) || answer.blame === undefined) continue;
    throw answer.blame === "usage" ? new InspectUsageError(answer.failed) : new InspectError(answer.failed);
  }
  return answers.map((answer) =>
    "failed" in answer && /^(?:ended|did not end)/.test(answer.failed)
      ? { failed: `the driver ${target ? `for ${target.name} ` : ""}refused it: its process ${answer.failed}` }
      : answer,
  );
}

/** Does work on all, as many at once as there are cores. */
async function limited<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  let at = 0;
  const worker = async () => {
    for (let i = at++; i < items.length; i = at++) results[i] = await work(items[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(items.length, availableParallelism()) }, worker));
  return results;
}

/** Exported for tests. */
export function inspectionOf(executable: Executable, spirv: Spirv, target: Target | undefined): Inspection {
  const { device, wave, statistics, assembly } = executable;
  const { workgroup } = spirv;
  const figure = (name: string) => statistics[name] ?? null;
  const blocks = /^BB\d+:?\s*$/m.test(assembly) ? readAssembly(assembly, wave) : undefined;
  const [vector, scalar, shared] = [figure("VGPRs"), figure("SGPRs"), figure("LDS size")];
  const occupancy =
    target && vector !== null
      ? occupancyOf(target, {
          wave,
          vectorRegisters: vector,
          scalarRegisters: scalar ?? 0,
          workgroupBytes: shared ?? 0,
          invocations: workgroup[0] * workgroup[1] * workgroup[2],
        })
      : null;
  const inverseThroughput = figure("Inverse Throughput");
  const products = blocks ? estimatedMultiplyAdds(blocks) * wave : 0;
  return {
    gpu: target?.name ?? device,
    device,
    wave,
    workgroup,
    vectorRegisters: vector,
    scalarRegisters: scalar,
    spilledVectorRegisters: figure("Spilled VGPRs"),
    spilledScalarRegisters: figure("Spilled SGPRs"),
    scratchBytes: figure("Scratch size"),
    workgroupBytes: shared,
    occupancy,
    codeBytes: figure("Code size"),
    estimates: {
      latency: figure("Latency"),
      inverseThroughput,
      cyclesPerThousand: products > 0 && inverseThroughput !== null ? (1000 * inverseThroughput) / products : null,
    },
    code: blocks ? figuresOf(blocks.flatMap(({ instructions }) => instructions)) : null,
    hottestLoop: (blocks && hottestLoop(blocks)) ?? null,
    statistics,
    assembly,
  };
}
