import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../tune/cache-folder.ts";
import { setNativeEnvironment } from "./environment.ts";

/** Bits of the vectors of Mesa's software driver, and where it keeps what it compiled. */
const [width, shaderCache] = ["LP_NATIVE_VECTOR_WIDTH", "MESA_SHADER_CACHE_DIR"];

/** What the instructions of 512 bits need to take the place of those of 256 everywhere. */
const wideFlags = ["avx512f", "avx512bw", "avx512dq", "avx512vl"];

/**
 * Lets Mesa's software driver use vectors of 512 bits where the processor has them, which it would not do by itself: kernels
 * then run in subgroups of 16. To be called before the process has a Vulkan instance; other drivers do not heed it. What the
 * user has set in LP_NATIVE_VECTOR_WIDTH or MESA_SHADER_CACHE_DIR stays.
 *
 * The driver gets a folder for compiled code of its own: it keeps the functions that read textures without regard to their
 * width, and a process with other vectors that finds them reads rubbish or crashes (Mesa 25.0).
 */
export async function widenVectors(): Promise<void> {
  if (process.platform !== "linux" || process.arch !== "x64") return;
  try {
    const folder = cacheFolder();
    if (process.env[width] !== undefined || process.env[shaderCache] !== undefined) return;
    if (folder === undefined || !hasFlags(readFileSync("/proc/cpuinfo", "utf8"), wideFlags)) return;
    await setNativeEnvironment(shaderCache, wideCache(folder));
    await setNativeEnvironment(width, "512");
  } catch {
    // Without permission to read or set it (Deno's sandbox) the driver keeps its own width.
  }
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
