import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { InspectError } from "./errors.ts";

/**
 * Environment of a process in which Mesa's RADV shows a GPU that is not there: it compiles for it and runs nothing.
 * @param gpu a name of `targets`
 * @throws InspectError when the driver is not installed
 */
export function nullDevice(gpu: string, environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  if (process.platform !== "linux")
    throw new InspectError(`--gpu needs Mesa's driver RADV, which is for Linux and not for ${process.platform}`);
  const manifest = radvManifest(environment);
  if (manifest === undefined) {
    throw new InspectError(
      "Mesa's driver RADV, which compiles for AMD GPUs without one, is missing; install it: apt-get install mesa-vulkan-drivers (as root; Fedora: mesa-vulkan-drivers, Arch: vulkan-radeon)",
    );
  }
  // A cache of compiled kernels keeps no statistics that were not asked for then.
  return {
    ...environment,
    VK_DRIVER_FILES: manifest,
    VK_ICD_FILENAMES: manifest,
    RADV_FORCE_FAMILY: gpu,
    MESA_SHADER_CACHE_DISABLE: "true",
  };
}

/** The file by which Vulkan's loader knows RADV; its name may have the architecture in it. */
function radvManifest(environment: NodeJS.ProcessEnv): string | undefined {
  const given = environment["ACUTANCE_RADV_MANIFEST"];
  if (given !== undefined) return existsSync(given) ? given : undefined;
  const data = environment["XDG_DATA_DIRS"]?.split(delimiter).filter(Boolean) ?? [];
  const roots = ["/etc", "/usr/local/etc", "/usr/local/share", "/usr/share", ...data];
  for (const folder of roots.map((root) => join(root, "vulkan", "icd.d"))) {
    const name = existsSync(folder) ? readdirSync(folder).find((file) => /^radeon_icd.*\.json$/.test(file)) : undefined;
    if (name) return join(folder, name);
  }
  return undefined;
}
