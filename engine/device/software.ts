/** Whether the names of an adapter are those of a driver that runs on the processor: Deno's adapters do not say that they are fallbacks. */
export function looksLikeSoftware(names: string): boolean {
  return /llvmpipe|lavapipe|swiftshader|software|microsoft basic render|\bwarp\b/i.test(names);
}
