import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("the example of README runs as it stands", () => {
  const folder = mkdtempSync(join(tmpdir(), "own-readme-"));
  try {
    const example = /```ts\n(.*?)```/s.exec(readFileSync(join(root, "engine/own/README.md"), "utf8"))![1]!;
    writeFileSync(
      join(folder, "example.ts"),
      example.replace('"acutance/engine"', JSON.stringify(join(root, "engine/index.ts"))),
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, ["example.ts"], { cwd: folder, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("checked\n");
    // d(x² σ(x)) = 2 x σ + x² σ (1 − σ)
    const slopes = stdout
      .match(/[\d.]+(?=[,\s\]])/g)!
      .slice(-3)
      .map(Number);
    [1, 2, 3].forEach((x, i) => {
      const s = 1 / (1 + Math.exp(-x));
      expect(slopes[i]).toBeCloseTo(2 * x * s + x * x * s * (1 - s), 4);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
