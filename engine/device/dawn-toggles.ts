export type ProviderName = "navigator.gpu" | "webgpu";

export interface FindGpuOptions {
  /** A GPU object of the caller's own; it is used as it is and reported as "navigator.gpu". */
  readonly gpu?: GPU;
  /** Take this provider and no other. */
  readonly provider?: ProviderName;
  /**
   * Dawn features for the package `webgpu`, e.g. `{ enable: ["dump_shaders"] }`. Other providers have none. The environment
   * variable ACUTANCE_DAWN_TOGGLES adds to them: names separated by commas, `-name` disables, `dump_shaders,-lazy_clear`.
   */
  readonly toggles?: { readonly enable?: readonly string[]; readonly disable?: readonly string[] };
  /** Dawn backend ("vulkan", "metal", "d3d12") for the package `webgpu`. */
  readonly backend?: string;
  /** Part of the adapter's name, for the package `webgpu` on machines with several. */
  readonly adapter?: string;
}

/** Dawn features by name, on or off: defaults, then the caller's toggles, then those of `environment`, each overruling those before. */
export function dawnToggles({ toggles }: FindGpuOptions, environment = ""): Map<string, boolean> {
  const states = new Map([
    // Dawn rounds timestamps to 65.5 µs unless told otherwise; a kernel profiler is useless with that.
    ["timestamp_quantization", false],
    // Kernels write workgroup memory before they read it. Dawn's own zeros cost SwiftShader seconds a pipeline to compile.
    ["disable_workgroup_init", true],
  ]);
  for (const name of toggles?.enable ?? []) states.set(name, true);
  for (const name of toggles?.disable ?? []) states.set(name, false);
  for (const word of environment.split(/[\s,]+/).filter(Boolean)) states.set(word.replace(/^-/, ""), word[0] !== "-");
  return states;
}

/** The strings that the package's create() takes, with the toggles of {@link dawnToggles}. Exported for tests. */
export function dawnOptions(choice: FindGpuOptions, environment = ""): string[] {
  const { backend, adapter } = choice;
  const states = dawnToggles(choice, environment);
  const named = (state: boolean) => [...states].filter(([, value]) => value === state).map(([name]) => name);
  const [enabled, disabled] = [named(true), named(false)];
  const options: string[] = [];
  if (backend) options.push(`backend=${backend}`);
  if (adapter) options.push(`adapter=${adapter}`);
  if (enabled.length) options.push(`enable-dawn-features=${enabled.join(",")}`);
  if (disabled.length) options.push(`disable-dawn-features=${disabled.join(",")}`);
  return options;
}
