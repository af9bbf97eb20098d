// The process that checkAdapter() starts: one line of JSON on stdout, whatever the driver prints goes to stderr.
import type { FailedCheck } from "./check.ts";
import { GpuError } from "./errors.ts";
import { probe } from "./probe.ts";

try {
  process.stdout.write(`${JSON.stringify({ ok: true, report: await probe() })}\n`);
} catch (error) {
  const failure: FailedCheck = {
    ok: false,
    kind: error instanceof Error ? error.name : "Error",
    message: error instanceof Error ? error.message : String(error),
    advice: error instanceof GpuError ? error.advice : "",
  };
  process.stdout.write(`${JSON.stringify(failure)}\n`);
}
