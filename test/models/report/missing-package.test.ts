import { expect, test } from "bun:test";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

test("without the package that draws, a chart says what to install", async () => {
  // Away from node_modules.
  const folder = mkdtempSync(join(tmpdir(), "acutance-charts-"));
  const name = "chart-frame.ts";
  cpSync(fileURLToPath(new URL(`../../../models/report/${name}`, import.meta.url)), join(folder, name));
  const { draw } = (await import(join(folder, name))) as typeof import("../../../models/report/chart-frame.ts");
  expect(() => draw({ description: "a chart" }, { series: [] })).toThrow(/`echarts`.*`npm install echarts`/);
  rmSync(folder, { recursive: true });
});
