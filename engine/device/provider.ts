import { lstatSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dawnOptions, type FindGpuOptions, type ProviderName } from "./dawn-toggles.ts";
import { setNativeEnvironment } from "./environment.ts";
import { GpuError } from "./errors.ts";
import { widenVectors } from "./vectors.ts";

export interface FoundGpu {
  readonly gpu: GPU;
  readonly provider: ProviderName;
}

/** What somebody without an adapter is told to do, where it is not what {@link NoAdapterError} says. */
export const withoutAdapter: string | undefined = undefined;

/**
 * Finds the object that requestAdapter() is called on: an injected one, else the runtime's `navigator.gpu`, else the
 * npm package `webgpu` (Dawn).
 * @throws GpuError when the provider asked for is absent, or when `webgpu` cannot be loaded on this platform
 */
export async function findGpu(options: FindGpuOptions = {}): Promise<FoundGpu> {
  if (options.gpu) return { gpu: options.gpu, provider: "navigator.gpu" };
  await ensureRuntimeFolder();
  await widenVectors();
  if (options.provider !== "webgpu") {
    const native = (globalThis.navigator as Navigator | undefined)?.gpu;
    if (native) return { gpu: native, provider: "navigator.gpu" };
    if (options.provider === "navigator.gpu") {
      throw new GpuError("this runtime has no navigator.gpu", 'leave `provider` out, or ask for "webgpu"');
    }
  }
  const words = dawnOptions(options, process.env["ACUTANCE_DAWN_TOGGLES"]);
  return { gpu: pinnedGpu(await loadWebgpu(), words), provider: "webgpu" };
}

type Create = (options: string[]) => GPU;

const pinKey = Symbol.for("acutance.gpu");

/**
 * One GPU object per set of options, kept until the process ends. When the object that create() returns is collected,
 * the next submit crashes Bun and Node; holding the adapter or the device does not prevent it. The pin is on globalThis
 * under a shared symbol, so that two copies of this module use one object.
 */
function pinnedGpu(create: Create, options: string[]): GPU {
  const holder = globalThis as { [pinKey]?: Map<string, GPU> };
  holder[pinKey] ??= new Map();
  const pins = holder[pinKey];
  const key = options.join(" ");
  let gpu = pins.get(key);
  if (!gpu) {
    gpu = create(options);
    pins.set(key, gpu);
  }
  return gpu;
}

async function loadWebgpu(): Promise<Create> {
  try {
    const { create } = (await import("webgpu")) as { create: Create };
    return create;
  } catch (cause) {
    throw loadFailure(cause);
  }
}

/** Says why the package `webgpu` could not be loaded. Exported for tests. */
export function loadFailure(cause: unknown): GpuError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const platform = `${process.platform}-${process.arch}`;
  if (/dawn\.node/.test(text) && /cannot find|no such file|not found|ENOENT/i.test(text) && !/\.so[.\d]*:/.test(text)) {
    return new GpuError(
      `the package "webgpu" has no prebuilt Dawn for ${platform}`,
      "use Linux x64/arm64 (glibc), macOS or Windows, or run under a runtime with its own navigator.gpu such as Deno",
      { cause },
    );
  }
  if (/cannot find (package|module)|ERR_MODULE_NOT_FOUND/i.test(text)) {
    return new GpuError('the package "webgpu" is not installed', "run `bun install` (or `npm install`)", { cause });
  }
  return new GpuError(
    `the package "webgpu" could not be loaded on ${platform}: ${text}`,
    "its prebuilt Dawn needs glibc and libstdc++ (Debian: `apt-get install libstdc++6`); musl systems are not covered",
    { cause },
  );
}

/** Mesa and its loader layers complain, or fail, without XDG_RUNTIME_DIR, which containers do not set. */
async function ensureRuntimeFolder(): Promise<void> {
  if (process.platform !== "linux") return;
  try {
    if (process.env["XDG_RUNTIME_DIR"]) return;
    const folder = privateFolder();
    await setNativeEnvironment("XDG_RUNTIME_DIR", folder);
  } catch {
    // Without permission to write (Deno's sandbox, a read-only container) the driver goes on and only warns.
  }
}

/** One folder per user, kept between processes, so that none is left behind by each; a stranger's is not trusted. */
function privateFolder(): string {
  const user = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `acutance-runtime-${user}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  const isDirectory = (mode & 0o170000) === 0o040000;
  return isDirectory && uid === user && (mode & 0o077) === 0 ? folder : mkdtempSync(`${folder}-`);
}
