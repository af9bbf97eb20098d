import type { FindGpuOptions } from "./dawn-toggles.ts";
import type { SubgroupMatrixOptions } from "./matrix-units.ts";

/** Where the device comes from and what of it is used; of the GPU objects the first of `findGpu` is taken. */
export interface OpenOptions extends FindGpuOptions {
  /** Features that must not be used although the adapter has them, e.g. `["subgroups"]` to test plain kernels. */
  readonly withoutFeatures?: readonly string[];
  /** Upper bound for one storage binding in bytes, below the adapter's own; for tests of large tensors. */
  readonly maximumBindingBytes?: number;
  readonly powerPreference?: GPUPowerPreference;
  /**
   * Examine the result of every operation, gradient and update, and throw a NumericError at the next read-back when one
   * holds a NaN or an infinity. Slower; for finding where they come from. Gradients of a scaled loss are left out, since the
   * scale is lowered when they overflow.
   * @default true when the environment variable ACUTANCE_CHECK_NUMBERS is 1
   */
  readonly checkNumbers?: boolean;
  /**
   * Make 3x3 convolutions by Winograd's method where their sides and channels let expect that it is faster. Results then
   * differ from those without in their last bits, up to 4e-6 of the largest number of one convolution.
   * @default true unless the environment variable ACUTANCE_WINOGRAD is 0
   */
  readonly winograd?: boolean;
  /** The most that tensors may hold on the device, with what the pool keeps for reuse, bytes. No limit unless given. */
  readonly memoryLimitBytes?: number;
  /**
   * Run products and convolutions of f16 tensors on the adapter's subgroup matrices. Experimental: Dawn has them behind its
   * toggle for unsafe interfaces (the package `webgpu` is opened with it), and bits differ from those of the plain kernels. They are
   * used when they agree with those on small contractions while the device is opened; {@link OpenOptions.onNote} tells if not.
   * @default as the environment variable ACUTANCE_SUBGROUP_MATRICES says: 1 on, f16 on with sums in f16; off without
   */
  readonly subgroupMatrices?: boolean | SubgroupMatrixOptions;
  /** Takes one sentence about what was asked for and cannot be had; console.warn unless given. */
  readonly onNote?: (note: string) => void;
}

/** What is known about the adapter behind a device. */
export interface DeviceInfo {
  readonly provider: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly isFallbackAdapter: boolean;
}
