import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { cacheFolder } from "../tune/cache-folder.ts";
import { writeFileAtomically } from "../weights/atomic.ts";
import { setNativeEnvironment } from "./environment.ts";

/** Bits of the vectors of Mesa's software driver, and where it keeps what it compiled. */
const [width, shaderCache] = ["LP_NATIVE_VECTOR_WIDTH", "MESA_SHADER_CACHE_DIR"];

/** What the instructions of 512 bits need to take the place of those of 256 everywhere. */
const wideFlags = ["avx512f", "avx512bw", "avx512dq", "avx512vl"];

const choiceSchema = z.object({
  /** Name of the processor that it was measured on. */
  processor: z.string(),
  bits: z.union([z.literal(256), z.literal(512)]),
  /** Speed with vectors of 512 bits, as a multiple of that with 256. */
  gain: z.number(),
});

/** What measuring found on a processor: see `acutance setup`. */
export type VectorChoice = z.infer<typeof choiceSchema>;

/**
 * Lets Mesa's software driver use vectors of 512 bits, which it would not do by itself, where they were measured to be faster on this
 * processor ({@link vectorChoice}): kernels then run in subgroups of 16. To be called before the process has a Vulkan instance; other
 * drivers do not heed it. What the user has set in LP_NATIVE_VECTOR_WIDTH or MESA_SHADER_CACHE_DIR stays.
 *
 * The driver gets a folder for compiled code of its own: it keeps the functions that read textures without regard to their
 * width, and a process with other vectors that finds them reads rubbish or crashes (Mesa 25.0).
 */
export async function widenVectors(): Promise<void> {
  try {
    if (vectorChoice()?.bits !== 512 || !canWidenVectors()) return;
    for (const [name, value] of Object.entries(vectorEnvironment(512))) await setNativeEnvironment(name, value);
  } catch {
    // Without permission to read or set it (Deno's sandbox) the driver keeps its own width.
  }
}

/** Whether there is a choice of vectors: the processor has 512 bits, and the user has not settled it. */
export function canWidenVectors(): boolean {
  if (process.platform !== "linux" || process.arch !== "x64" || cacheFolder() === undefined) return false;
  if (process.env[width] !== undefined || process.env[shaderCache] !== undefined) return false;
  return hasFlags(readFileSync("/proc/cpuinfo", "utf8"), wideFlags);
}

/** What sets the driver's vectors in a process. */
export function vectorEnvironment(bits: VectorChoice["bits"]): Record<string, string> {
  if (bits === 256) return { [width]: "256" };
  return { [shaderCache]: wideCache(cacheFolder()!), [width]: "512" };
}

/** What was measured on this processor, if it was. */
export function vectorChoice(): VectorChoice | undefined {
  const folder = cacheFolder();
  if (folder === undefined) return undefined;
  try {
    const choice = choiceSchema.parse(JSON.parse(readFileSync(join(folder, choiceFile), "utf8")));
    return choice.processor === processorName(readFileSync("/proc/cpuinfo", "utf8")) ? choice : undefined;
  } catch {
    // None, or none that can be read: it is measured again.
    return undefined;
  }
}

/** How much faster 512 bits must be than 256: their kernels take longer to compile, and work that was not measured gains less. */
const worthwhile = 1.15;

/** Keeps for later processes what was measured on this one's processor. @throws the system's error when it cannot be written */
export async function keepVectorChoice(gain: number): Promise<VectorChoice> {
  const processor = processorName(readFileSync("/proc/cpuinfo", "utf8"));
  const choice: VectorChoice = { processor, bits: gain >= worthwhile ? 512 : 256, gain };
  const folder = cacheFolder()!;
  await mkdir(folder, { recursive: true });
  await writeFileAtomically(join(folder, choiceFile), JSON.stringify(choice));
  return choice;
}

const choiceFile = "vectors.json";

/** Name of the processor of a /proc/cpuinfo. */
function processorName(cpuinfo: string): string {
  return /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? "";
}

/**
 * The environment for a program of somebody else: without what {@link widenVectors} has set. Mesa 25.0 crashes on render passes with vectors of 512
 * bits, which the engine has none of.
 */
export function foreignEnvironment(): NodeJS.ProcessEnv {
  if (!vectorsWidened()) return { ...process.env };
  const { [width]: _, [shaderCache]: __, ...others } = process.env;
  return others;
}

/** True where {@link widenVectors} has set the driver up, in this process or one that started it. */
export function vectorsWidened(): boolean {
  try {
    const folder = cacheFolder();
    return process.env[width] === "512" && folder !== undefined && process.env[shaderCache] === wideCache(folder);
  } catch {
    return false;
  }
}

function wideCache(folder: string): string {
  return join(folder, "mesa-512");
}

/** Whether every processor of a /proc/cpuinfo has all of the flags. Exported for tests. */
export function hasFlags(cpuinfo: string, wanted: readonly string[]): boolean {
  const lists = [...cpuinfo.matchAll(/^flags\s*:(.*)$/gm)].map(([, list]) => new Set(list!.trim().split(/\s+/)));
  return lists.length > 0 && lists.every((flags) => wanted.every((flag) => flags.has(flag)));
}
