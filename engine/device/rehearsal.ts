import type { Stream } from "../kernel/stream.ts";
import type { RealLoans } from "../memory/pool.ts";
import type { MemoryReport } from "../memory/report.ts";
import type { ScopeStack } from "../memory/scope.ts";
import type { DeviceMemory } from "./device-memory.ts";
import { GpuError } from "./errors.ts";

/** Runs `work` with a pool that only counts, while the stream records nothing; see `Device.rehearse`. */
export function rehearse(
  memory: DeviceMemory,
  stream: Stream,
  scopes: ScopeStack,
  work: () => unknown,
  limitBytes: number,
): MemoryReport {
  if (stream.silent) throw new GpuError("a rehearsal cannot run within another");
  const real = memory.pool;
  const loans: RealLoans = { ended: [], owners: new Map() };
  memory.pool = real.rehearsal(limitBytes, loans);
  stream.silent = true;
  let report: MemoryReport | undefined;
  try {
    scopes.runAndFree(() => {
      const result = work();
      report = memory.pool.report();
      return result;
    });
    return report!;
  } finally {
    stream.silent = false;
    memory.pool = real;
    real.settle(loans);
  }
}
