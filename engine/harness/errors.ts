/** A kernel, or the description of how to run it, is wrong; the message says where and what to do. */
export class KernelRunError extends Error {
  override name = "KernelRunError";
}

/** What was asked for is wrong, not the kernel: a buffer that it does not have, say, or a grid that is no whole number. */
export class KernelUsageError extends KernelRunError {
  override name = "KernelUsageError";
}
