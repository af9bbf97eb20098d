import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";

/** Part of the free host memory that a software adapter's buffers may take; the rest is for decoding and the system. */
const share = 0.8;

/** Host memory that tensors of a software adapter may still take, bytes. */
export function hostBudgetBytes(): number {
  return Math.floor(share * freeHostBytes());
}

/**
 * Free host memory in bytes: what the system says, or what the control group of a container has left when that is less.
 * @param groups where control groups are mounted
 */
export function freeHostBytes(groups = "/sys/fs/cgroup"): number {
  const number = (file: string) => {
    try {
      return Number(readFileSync(join(groups, file), "utf8")); // "max" is NaN
    } catch {
      return Number.NaN;
    }
  };
  const left = [
    number("memory.max") - number("memory.current"),
    number("memory/memory.limit_in_bytes") - number("memory/memory.usage_in_bytes"),
  ].filter(Number.isFinite);
  // Counts memory that the system would free at once, which freemem() leaves out; not every runtime has it.
  const available = process.availableMemory?.() ?? freemem();
  return Math.max(0, Math.min(available, ...left));
}
