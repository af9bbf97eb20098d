import { arch, cpus, release, type } from "node:os";
import process from "node:process";

/** "bun 1.4.5", "node 24.21.0", "deno 2.9.6". */
export function runtimeOf(): string {
  const name = ["bun", "deno"].find((runtime) => process.versions[runtime]) ?? "node";
  return `${name} ${process.versions[name] ?? ""}`.trim();
}

/** System, kernel, architecture and processors. */
export function systemOf(): string {
  const processors = cpus();
  return `${type()} ${release()} ${arch()}, ${processors.length} x ${processors[0]?.model.trim() ?? "unknown"}`;
}
