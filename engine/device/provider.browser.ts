import { GpuError } from "./errors.ts";
import type * as system from "./provider.ts";

export const withoutAdapter: typeof system.withoutAdapter =
  "switch on hardware acceleration in the browser's settings, or see its page about the GPU (chrome://gpu, about:support); without a GPU, " +
  "Chromium takes a software adapter with --enable-unsafe-webgpu --use-webgpu-adapter=swiftshader";

/** A page has its browser's own WebGPU, or one that is given. */
export const findGpu: typeof system.findGpu = async ({ gpu, provider } = {}) => {
  if (provider === "webgpu")
    throw new GpuError('a page has no package "webgpu"', "leave `provider` out: the browser's own WebGPU is taken");
  const found = gpu ?? navigator.gpu;
  if (found) return { gpu: found, provider: "navigator.gpu" };
  if (!globalThis.isSecureContext)
    throw new GpuError(
      "this page has no WebGPU, since its connection is not secure",
      "serve it by https, or from localhost",
    );
  throw new GpuError(
    "this browser has no WebGPU",
    "use a current Chrome, Edge, Firefox or Safari; in Chromium on Linux switch on chrome://flags/#enable-unsafe-webgpu",
  );
};
