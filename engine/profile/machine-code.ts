import { type Inspection, type InspectOptions, inspectKernels } from "../inspect/inspect.ts";
import type { MachineCode, Profile } from "./profile.ts";

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
  const hashes = Object.keys(profile.sources);
  const users = hashes.map((hash) => profile.kernels.find(({ source }) => source === hash)?.kernel ?? hash);
  const outcomes = await inspectKernels(
    hashes.map((hash, i) => ({ kernel: { file: `${users[i]}.wgsl`, wgsl: profile.sources[hash]!, lines: [] } })),
    options,
  );
  const found = new Map<string, MachineCode[]>();
  for (const [i, hash] of hashes.entries()) {
    const told: MachineCode[] = [];
    for (const outcome of outcomes[i]!) {
      if ("inspection" in outcome) told.push(machineCodeOf(outcome.inspection));
      else onFailure(`${users[i]} on ${outcome.gpu}: ${outcome.failure}`);
    }
    found.set(hash, told);
  }
  const kernels = profile.kernels.map((kernel) => {
    const machineCode = found.get(kernel.source);
    return machineCode ? { ...kernel, machineCode } : kernel;
  });
  return { ...profile, kernels };
}

/** What a profile keeps of an inspection. */
export function machineCodeOf(inspection: Inspection): MachineCode {
  const { gpu, wave, vectorRegisters, scalarRegisters, spilledVectorRegisters, spilledScalarRegisters } = inspection;
  const { waves = null, limit = null } = inspection.occupancy ?? {};
  return {
    ...{ gpu, wave, vectorRegisters, scalarRegisters, spilledVectorRegisters, spilledScalarRegisters, waves, limit },
  };
}
