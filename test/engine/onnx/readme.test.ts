import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GraphWriter } from "../../../engine/onnx/write.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "onnx-readme-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The first block of TypeScript in engine/onnx/README.md. */
function example(): string {
  const readme = readFileSync(join(root, "engine/onnx/README.md"), "utf8");
  return /```ts\n(.*?)```/s.exec(readme)![1]!;
}

test("the example of README runs as it stands", () => {
  const writer = new GraphWriter();
  const input = writer.input("input", "float32", [1, 3, 224, 224]);
  writer.nodes("GlobalAveragePool", [input], ["output"]);
  writer.output("output", "float32", [1, 3, 1, 1]);
  writeFileSync(join(folder, "model.onnx"), writer.bytes({ producer: "test", version: "1" }));
  const code = example().replace('"acutance/engine"', JSON.stringify(join(root, "engine/index.ts")));
  writeFileSync(join(folder, "example.ts"), code);
  const { status, stdout, stderr } = spawnSync(process.execPath, ["example.ts"], { cwd: folder, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("[ 1, 3, 1, 1 ]");
});
