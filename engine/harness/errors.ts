/** A kernel, or the description of how to run it, is wrong; the message says where and what to do. */
export class KernelRunError extends Error {
  override name = "KernelRunError";
}
