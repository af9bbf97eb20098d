/**
 * `bun run numbers`: runs the operations' tests and prints, for every operation and storage type, the largest relative
 * error they found, forward and backward: f32 against PyTorch in float64, f16 against f32 from the same rounded inputs.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Line {
  readonly operation: string;
  readonly dtype: "f32" | "f16";
  readonly forward: number;
  readonly backward?: number;
}

const folder = mkdtempSync(join(tmpdir(), "acutance-numbers-"));
const log = join(folder, "errors.jsonl");
const tests = spawnSync(process.execPath, ["test", "--timeout", "120000", "test/engine/ops"], {
  env: { ...process.env, ACUTANCE_ERROR_LOG: log },
  stdio: ["ignore", "ignore", "inherit"],
});
const lines: Line[] = readFileSync(log, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line));
rmSync(folder, { recursive: true });

const operations = [...new Set(lines.map(({ operation }) => operation))].sort();
const cell = (operation: string, dtype: string, pass: "forward" | "backward") => {
  const errors = lines.filter((line) => line.operation === operation && line.dtype === dtype).map((line) => line[pass]);
  const known = errors.filter((error) => error !== undefined);
  return known.length === 0 ? "-" : Math.max(...known).toExponential(1);
};
console.log("| operation | cases | f32 forward | f32 backward | f16 forward | f16 backward |");
console.log("| --- | --- | --- | --- | --- | --- |");
for (const operation of operations) {
  const cases = lines.filter((line) => line.operation === operation && line.dtype === "f32").length;
  const cells = (["f32", "f16"] as const).flatMap((dtype) => [
    cell(operation, dtype, "forward"),
    cell(operation, dtype, "backward"),
  ]);
  console.log(`| ${[operation, cases, ...cells].join(" | ")} |`);
}
process.exit(tests.status ?? 1);
