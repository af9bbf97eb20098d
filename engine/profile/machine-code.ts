import { createHash } from "node:crypto";
import { type Inspection, type InspectOptions, inspectKernels } from "../inspect/inspect.ts";
import type { KernelProfile, MachineCode, Profile } from "./profile.ts";

/**
 * The profile with registers, spills and waves beside each kernel.
 * @param onFailure told of every kernel that a GPU's compiler refused
 * @throws InspectError when something that is needed is missing, or a GPU's name is unknown
 */
export async function withMachineCode(
  profile: Profile,
  options: InspectOptions,
  onFailure: (message: string) => void,
): Promise<Profile> {
  // A module of a program's may have several entry points, and overrides of several values.
  const users = new Map(profile.kernels.map((kernel) => [compilationOf(kernel), kernel] as const));
  const entries = [...users].filter(([, { source, entryPoint }]) => source !== "" && entryPoint !== "");
  const outcomes = await inspectKernels(
    entries.map(([, { kernel, source, entryPoint, constants }]) => ({
      kernel: {
        ...{ file: `${kernel}.wgsl`, wgsl: profile.sources[source]!, lines: [] },
        ...(entryPoint !== undefined && { foreign: { entryPoint } }),
      },
      ...(entryPoint !== undefined && { entry: entryPoint, constants }),
    })),
    options,
  );
  const found = new Map<string, MachineCode[]>();
  const assemblies: Record<string, string> = {};
  for (const [i, [key, { kernel }]] of entries.entries()) {
    const told: MachineCode[] = [];
    for (const outcome of outcomes[i]!) {
      if ("inspection" in outcome) {
        const { assembly, hottestLoop } = outcome.inspection;
        const hash = createHash("sha256").update(assembly).digest("hex").slice(0, 16);
        assemblies[hash] = assembly;
        const hotLines = hottestLoop ? { hotLines: [...hottestLoop.lines] } : {};
        told.push({ ...machineCodeOf(outcome.inspection), assembly: hash, ...hotLines });
      }
      if ("failure" in outcome) onFailure(`${kernel} on ${outcome.gpu}: ${outcome.failure}`);
    }
    found.set(key, told);
  }
  const kernels = profile.kernels.map((kernel) => {
    const machineCode = found.get(compilationOf(kernel));
    return machineCode ? { ...kernel, machineCode } : kernel;
  });
  return { ...profile, kernels, assemblies };
}

/** What the compiler is given. The engine's constants are in its sources; a program's are overrides. */
function compilationOf({ source, entryPoint, constants }: KernelProfile): string {
  return entryPoint === undefined ? source : JSON.stringify([source, entryPoint, constants]);
}

/** What a profile keeps of an inspection. */
export function machineCodeOf(inspection: Inspection): MachineCode {
  const { gpu, wave, vectorRegisters, scalarRegisters, spilledVectorRegisters, spilledScalarRegisters } = inspection;
  const { waves = null, limit = null } = inspection.occupancy ?? {};
  return {
    ...{ gpu, wave, vectorRegisters, scalarRegisters, spilledVectorRegisters, spilledScalarRegisters, waves, limit },
  };
}
