import { findGpu } from "../../../engine/device/provider.ts";

/**
 * Puts the GPU object that our engine uses, with the constants of WebGPU, where browsers have it: rivals made for
 * browsers look there.
 * @returns the name of the adapter that such a rival gets
 */
export async function offerNavigatorGpu(): Promise<string> {
  const { gpu } = await findGpu();
  const { globals } = (await import("webgpu")) as { globals: object };
  Object.assign(globalThis, globals);
  if (!globalThis.navigator) Object.defineProperty(globalThis, "navigator", { value: { userAgent: "acutance" } });
  Object.defineProperty(globalThis.navigator, "gpu", { value: gpu, configurable: true });
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("no WebGPU adapter");
  return adapter.info.description || adapter.info.vendor;
}
