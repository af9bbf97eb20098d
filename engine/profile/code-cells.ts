import type { MachineCode } from "./profile.ts";

type Cell = string | number | null | undefined;

/** What the compilers of GPUs made of a kernel, where it was asked for. */
interface Inspected {
  readonly machineCode?: readonly MachineCode[];
}

/** GPUs whose compilers told of some of the kernels, in the order asked for. */
export function codeGpus(kernels: readonly Inspected[]): string[] {
  return [...new Set(kernels.flatMap(({ machineCode = [] }) => machineCode.map(({ gpu }) => gpu)))];
}

/** Headers of {@link codeCells}. */
export function codeHeaders(gpus: readonly string[]): string[] {
  return gpus.flatMap((gpu) => [`${gpu}: registers`, "spills", "waves"]);
}

/** Of every GPU vector registers, spills, and waves of a SIMD. */
export function codeCells({ machineCode = [] }: Inspected, gpus: readonly string[]): Cell[] {
  return gpus.flatMap((gpu): Cell[] => {
    const code = machineCode.find((entry) => entry.gpu === gpu);
    return code ? [code.vectorRegisters, spillsOf(code), code.waves] : ["", "", ""];
  });
}

/** The same for CSV, by name. */
export function codeColumns(kernel: Inspected, gpus: readonly string[]): Record<string, Cell> {
  const names = gpus.flatMap((gpu) => [`${gpu}_vector_registers`, `${gpu}_spills`, `${gpu}_waves`]);
  return Object.fromEntries(codeCells(kernel, gpus).map((cell, i) => [names[i]!, cell]));
}

/** One GPU in words. */
export function codeText({ wave, waves, limit, ...code }: MachineCode): string {
  const registers = `${code.vectorRegisters ?? "?"} vector and ${code.scalarRegisters ?? "?"} scalar registers`;
  const fit = waves === null ? "" : `, ${waves} waves of ${wave} lanes on a SIMD, limited by ${limit}`;
  return `${registers}, ${spillsOf(code) ?? "?"} spilled${fit}`;
}

/** Vector and scalar registers together; null where neither is told. */
function spillsOf({
  spilledVectorRegisters: vector,
  spilledScalarRegisters: scalar,
}: Pick<MachineCode, "spilledVectorRegisters" | "spilledScalarRegisters">): number | null {
  return vector === null && scalar === null ? null : (vector ?? 0) + (scalar ?? 0);
}
