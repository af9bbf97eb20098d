import { spawn } from "node:child_process";
import type { ExpandedKernel } from "../harness/compile.ts";
import type { Constants } from "../kernel/template.ts";
import { InspectError } from "./errors.ts";
import { type Answer, inProcesses } from "./processes.ts";

export interface InspectSource {
  /** A kernel after the template step, or plain WGSL. */
  readonly kernel: ExpandedKernel | string;
  /** Values of its overrides; others do no harm. */
  readonly constants?: Constants;
  /** Entry point, where there are several. */
  readonly entry?: string;
}

export interface SpirvRequest {
  readonly kernel: ExpandedKernel;
  readonly constants: Constants;
  readonly entry?: string;
  readonly marker: string;
}

export interface CompiledSource {
  readonly entryPoint: string;
  /** Undefined where an extent is an expression of the source's. */
  readonly workgroup?: readonly number[];
}

/** One variable that a pipeline layout must have. */
export interface SpirvBinding {
  readonly set: number;
  readonly binding: number;
  readonly kind: "storage" | "uniform";
}

/** A kernel as Vulkan takes it. */
export interface Spirv {
  /** The binary module, base64. */
  readonly module: string;
  readonly entryPoint: string;
  readonly bindings: readonly SpirvBinding[];
  readonly workgroup: readonly [number, number, number];
}

/**
 * Compiles WGSL to SPIR-V with the Tint of the package `webgpu`, on the Vulkan adapter at hand.
 * @returns for each source its module, or what the compiler said of it
 * @throws InspectError when spirv-as is missing, or there is no Vulkan adapter that Dawn can open
 */
export async function toSpirv(sources: readonly InspectSource[]): Promise<Answer<Spirv>[]> {
  await expectAssembler();
  const requests = sources.map(({ kernel: given, constants = {}, entry }, i): SpirvRequest => {
    const kernel = typeof given === "string" ? { file: "kernel.wgsl", wgsl: given, lines: [] } : given;
    return { kernel, constants, ...(entry !== undefined && { entry }), marker: markerOf(i) };
  });
  const texts = new Map<string, string>();
  const script = new URL("spirv-process.ts", import.meta.url);
  const answers = await inProcesses<SpirvRequest, CompiledSource>({ script, requests }, (output) => {
    for (const [marker, text] of dumpsIn(output)) texts.set(marker, text);
  });
  const results: Answer<Spirv>[] = [];
  for (const [i, answer] of answers.entries()) {
    if ("failed" in answer && answer.blame === "machine")
      throw new InspectError(`WGSL becomes SPIR-V on a Vulkan adapter, and Dawn opens none here: ${answer.failed}`);
    if ("failed" in answer) results.push(answer);
    else results.push(await assembled(texts.get(markerOf(i))));
  }
  return results;
}

const markerOf = (index: number) => `acutance inspects ${index}`;

/** SPIR-V assembly by the marker at the end of the WGSL before it. Exported for tests. */
export function dumpsIn(output: string): Map<string, string> {
  const found = new Map<string, string>();
  let marker: string | undefined;
  for (const piece of output.split(/^(?=info:$|\/\/ Dumped WGSL:$|\/\* Dumped SPIRV disassembly \*\/$)/m)) {
    if (piece.startsWith("// Dumped WGSL:")) marker = /^\/\/ (acutance inspects \d+)$/m.exec(piece)?.[1];
    else if (piece.startsWith("/* Dumped SPIRV") && marker) found.set(marker, piece.slice(piece.indexOf("\n") + 1));
  }
  return found;
}

async function assembled(text: string | undefined): Promise<Answer<Spirv>> {
  if (text === undefined) return { failed: "Dawn did not write what it made of it (toggle dump_shaders)" };
  // Promises about reconvergence that older assemblers do not know; they change no code.
  const known = text.replace(/^.*(?:MaximallyReconvergesKHR|SPV_KHR_maximal_reconvergence).*\n/gm, "");
  const size = /OpExecutionMode %\S+ LocalSize (\d+) (\d+) (\d+)/.exec(text);
  const entryPoint = /OpEntryPoint GLCompute %\S+ "([^"]+)"/.exec(text)?.[1];
  if (!size || !entryPoint) return { failed: "what Dawn made of it has no compute entry point with a size" };
  const { bytes, message } = await assemble(known);
  if (message) return { failed: `spirv-as: ${message}` };
  const workgroup = [Number(size[1]), Number(size[2]), Number(size[3])] as const;
  return { done: { module: bytes.toString("base64"), entryPoint, bindings: bindingsIn(text), workgroup } };
}

/** The variables that a module binds. Exported for tests. */
export function bindingsIn(text: string): SpirvBinding[] {
  const numbers = (decoration: string) =>
    new Map(
      [...text.matchAll(new RegExp(`OpDecorate (%\\S+) ${decoration} (\\d+)`, "g"))].map(([, id, n]) => [
        id!,
        Number(n),
      ]),
    );
  const [sets, places] = [numbers("DescriptorSet"), numbers("Binding")];
  return [...text.matchAll(/^\s*(%\S+) = OpVariable %\S+ (StorageBuffer|Uniform)\b/gm)]
    .filter(([, id]) => places.has(id!))
    .map(([, id, storage]) => ({
      set: sets.get(id!) ?? 0,
      binding: places.get(id!)!,
      kind: storage === "Uniform" ? ("uniform" as const) : ("storage" as const),
    }));
}

async function expectAssembler(): Promise<void> {
  try {
    await run(["--version"], "");
  } catch {
    throw new InspectError(
      "spirv-as is missing, which makes SPIR-V of what Dawn writes; install it: apt-get install spirv-tools (as root; the package has the same name on other systems)",
    );
  }
}

async function assemble(text: string): Promise<{ bytes: Buffer; message: string }> {
  const { bytes, errors, code } = await run(["--target-env", "vulkan1.2", "-", "-o", "-"], text);
  return { bytes, message: code === 0 ? "" : errors.trim() || `ended with code ${code}` };
}

function run(words: readonly string[], input: string): Promise<{ bytes: Buffer; errors: string; code: number | null }> {
  const child = spawn("spirv-as", words, { stdio: ["pipe", "pipe", "pipe"] });
  const pieces: Buffer[] = [];
  let errors = "";
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    errors += piece;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ bytes: Buffer.concat(pieces), errors, code }));
  });
}
