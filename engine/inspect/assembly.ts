/** What an instruction does, of AMD's GPUs. */
export const instructionKinds = [
  "multiplyAdd",
  "vector",
  "scalar",
  "globalMemory",
  "scalarMemory",
  "workgroupMemory",
  "branch",
  "wait",
  "other",
] as const;
export type InstructionKind = (typeof instructionKinds)[number];

export interface Instruction {
  /** Line of the assembly, from 0. */
  readonly line: number;
  readonly opcode: string;
  readonly kind: InstructionKind;
  /** The second instruction issued with it (VOPD). */
  readonly second?: InstructionKind;
  /** Multiply-adds of one lane. */
  readonly multiplyAdds: number;
  /** Bytes that one lane loads from or stores to memory; scalar loads, which serve all lanes at once, have none. */
  readonly bytes: number;
  /** Label that it may go to. */
  readonly target?: string;
  /** Nothing behind it is reached but by a label. */
  readonly ends: boolean;
}

/** Instructions that follow each other with one way in. */
export interface BasicBlock {
  readonly label: string | undefined;
  readonly instructions: readonly Instruction[];
  /** Blocks that may come next, by index. */
  readonly next: readonly number[];
}

/**
 * Reads assembly of RADV: LLVM's disassembly, or for GPUs that the LLVM at hand does not know the compiler's own print.
 * @param wave lanes of a wave, which share the work of a matrix instruction
 */
export function readAssembly(text: string, wave: number): BasicBlock[] {
  const blocks: { label: string | undefined; instructions: Instruction[] }[] = [];
  let open = false;
  const lines = text.split("\n");
  const ownPrint = lines.findIndex((line) => line.startsWith("ACO shader stage:"));
  for (let line = ownPrint + 1; line < lines.length; line++) {
    const label = /^(BB\d+):?\s*$/.exec(lines[line]!)?.[1];
    if (label) blocks.push({ label, instructions: [] });
    open = label ? true : open;
    const instruction = label ? undefined : (readInstruction(lines[line]!, line, wave) ?? readUndecoded(lines, line));
    if (!instruction) continue;
    if (!open) blocks.push({ label: undefined, instructions: [] });
    blocks.at(-1)!.instructions.push(instruction);
    open = instruction.target === undefined && !instruction.ends;
  }
  const places = new Map(blocks.map(({ label }, i) => [label, i]));
  return blocks.map(({ label, instructions }, i) => {
    const last = instructions.at(-1);
    const jump = last?.target === undefined ? undefined : places.get(last.target);
    const falls = !last?.ends && i + 1 < blocks.length;
    return { label, instructions, next: [...(falls ? [i + 1] : []), ...(jump === undefined ? [] : [jump])] };
  });
}

function readInstruction(text: string, line: number, wave: number): Instruction | undefined {
  // Behind ";" stands the encoding; the compiler's own print has results before " = ".
  const code = text.replace(/\s*;.*$/, "").replace(/^.*?\s=\s/, "");
  const opcode = /^\s*([a-z]+_\w+)/.exec(code)?.[1];
  if (!opcode) return undefined;
  const second = /(?:::|\|\|)\s*(?:.*?\s=\s)?\s*(v_\w+)/.exec(text)?.[1];
  const kind = kindOf(opcode);
  const target = kind === "branch" ? /\b(?:block:)?(BB\d+)/.exec(code)?.[1] : undefined;
  return {
    line,
    opcode,
    kind,
    ...(second !== undefined && { second: kindOf(second) }),
    multiplyAdds: multiplyAddsOf(opcode, wave) + (second === undefined ? 0 : multiplyAddsOf(second, wave)),
    bytes: kind === "globalMemory" || kind === "workgroupMemory" ? bytesOf(opcode) : 0,
    ...(target !== undefined && { target }),
    ends: /^s_(branch|endpgm|setpc)/.test(opcode),
  };
}

const undecoded = /^\s*\(invalid instruction\).*;\s*([0-9a-f]{8})/;

/**
 * What LLVM does not decode although the GPU does, such as a scalar load to registers that end with VCC: it prints both words
 * of the encoding as a line each.
 */
function readUndecoded(lines: readonly string[], line: number): Instruction | undefined {
  const word = undecoded.exec(lines[line]!)?.[1];
  if (word === undefined || undecoded.test(lines[line - 1] ?? "")) return undefined;
  // Six bits name the format: scalar memory has 110000 on GCN, 111101 on RDNA.
  const format = Number.parseInt(word, 16) >>> 26;
  const kind = format === 0b110000 || format === 0b111101 ? "scalarMemory" : "other";
  return { line, opcode: "(not decoded)", kind, multiplyAdds: 0, bytes: 0, ends: false };
}

const floatMultiplyAdd =
  /^v_(?:dual_)?(?:pk_)?(?:fma|fmac|mad|mac)(?:ak|mk)?(?:_mix(?:lo|hi)?)?_(?:legacy_)?(?:f16|f32|f64|bf16)/;
const dotProduct = /^v_(?:dual_)?dot(\d)c?(?:acc)?_/;
const matrixProduct = /^v_s?w?mm?(?:fma|mac|ma|fmac)\w*?_(\d+)x(\d+)x(\d+)/;
const waits =
  /^s_(?:wait\w*|delay_alu|nop|clause|sleep|sethalt|inst_prefetch|set_inst_prefetch\w*|code_end|barrier|barrier_wait|barrier_leave|sendmsg\w*|endpgm\w*|icache_inv|ttrace\w*|version|round_mode|denorm_mode)\b/;

function kindOf(opcode: string): InstructionKind {
  if (floatMultiplyAdd.test(opcode) || dotProduct.test(opcode) || matrixProduct.test(opcode)) return "multiplyAdd";
  if (/^v_/.test(opcode)) return "vector";
  if (/^s_(?:branch|cbranch|setpc|swappc|call)/.test(opcode)) return "branch";
  if (
    /^s_(?:load|buffer_load|scratch_load|store|buffer_store|dcache|atc_probe|memtime|memrealtime|gl1_inv)/.test(opcode)
  )
    return "scalarMemory";
  if (waits.test(opcode)) return "wait";
  if (/^s_/.test(opcode)) return "scalar";
  if (/^ds_/.test(opcode)) return "workgroupMemory";
  if (/^(?:buffer|tbuffer|global|flat|scratch|image)_/.test(opcode)) return "globalMemory";
  return "other";
}

function multiplyAddsOf(opcode: string, wave: number): number {
  const matrix = matrixProduct.exec(opcode);
  if (matrix) return (Number(matrix[1]) * Number(matrix[2]) * Number(matrix[3])) / wave;
  const dot = dotProduct.exec(opcode);
  if (dot) return Number(dot[1]);
  if (!floatMultiplyAdd.test(opcode)) return 0;
  return /^v_(?:dual_)?pk_/.test(opcode) ? 2 : 1;
}

/** Bytes of one lane, from the end of the name: `buffer_load_b128`, `ds_read2_b32`, `global_load_dwordx4`, `ds_load_2addr_b64`. */
function bytesOf(opcode: string): number {
  if (!/load|store|read|write|atomic|^ds_(?:add|sub|min|max|and|or|xor|inc|dec|cmpst|wrxchg)/.test(opcode)) return 0;
  const twice = /(?:read2|write2|2addr)/.test(opcode) ? 2 : 1;
  const double = /dwordx(\d)/.exec(opcode);
  if (double) return 4 * Number(double[1]);
  if (/dword/.test(opcode)) return 4;
  if (/byte|_[ui]8|_d16_[ui]8/.test(opcode)) return 1;
  if (/short|_[ui]16|d16|_b16/.test(opcode)) return 2;
  const bits = /_[bfui](32|64|96|128)(?:_|$)/.exec(opcode);
  return bits ? (twice * Number(bits[1])) / 8 : 0;
}
