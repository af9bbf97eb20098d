import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** A Vulkan driver to run on, chosen by the loader's environment, or why there is none; "default" is the loader's own choice. */
export interface Driver {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What the adapter's name and description must tell, so that no other one is taken for it. */
  readonly known: RegExp;
  readonly missing?: string;
}

const software: readonly { name: string; known: RegExp; manifest: RegExp; folders: readonly string[]; get: string }[] =
  [
    {
      name: "lavapipe",
      known: /llvmpipe|lavapipe/i,
      manifest: /^lvp_icd.*\.json$/,
      folders: ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"],
      get: "`acutance setup`, or Debian's mesa-vulkan-drivers",
    },
    {
      name: "SwiftShader",
      known: /swiftshader/i,
      manifest: /^vk_swiftshader_icd\.json$/,
      folders: [
        "/usr/lib/chromium",
        "/usr/lib64/chromium-browser",
        "/opt/google/chrome",
        "/opt/google/chrome-unstable",
      ],
      get: "Debian's chromium-common, or Chrome",
    },
  ];

/** The adapter that every user gets, and the software drivers, which on Linux can be chosen one by one. */
export function findDrivers(): Driver[] {
  const own: Driver = { name: "default", environment: {}, known: /./ };
  if (process.platform !== "linux") return [own];
  const chosen = software.map(({ name, known, manifest, folders, get }): Driver => {
    const found = folders
      .filter((folder) => existsSync(folder))
      .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
      .find((path) => manifest.test(path.split("/").at(-1)!));
    if (!found) return { name, known, environment: {}, missing: `no ${name} driver; it comes with ${get}` };
    // Without Vulkan, Deno would go on to OpenGL.
    return { name, known, environment: { VK_DRIVER_FILES: found, DENO_WEBGPU_BACKEND: "vulkan" } };
  });
  return [own, ...chosen];
}
