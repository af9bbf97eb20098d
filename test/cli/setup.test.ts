import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { carryOut } from "../../cli/setup.ts";
import type { InstallStep } from "../../engine/device/install.ts";

async function inFolder(work: (path: string) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), "acutance-setup-"));
  try {
    await work(join(folder, "extra.sources"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const node = (script: string): InstallStep => ({ kind: "run", command: [process.execPath, "-e", script] });

test("temporary files are there for the commands and gone afterwards", () =>
  inFolder(async (path) => {
    const check = node(`if (require("fs").readFileSync(${JSON.stringify(path)}, "utf8") !== "x") process.exit(3)`);
    await carryOut([{ kind: "temporary-file", path, content: "x" }, check], "no adapter");
    expect(existsSync(path)).toBe(false);
  }));

test("a failing command shows the end of its output, and its files go too", () =>
  inFolder(async (path) => {
    const failing = node(`for (let i = 0; i < 40; i++) console.error("line " + i); process.exit(7)`);
    const error = await carryOut([{ kind: "temporary-file", path, content: "x" }, failing], "").catch(
      (caught) => caught,
    );
    expect(error.message).toEndWith("ended with code 7");
    expect(error.advice).toContain("line 39");
    expect(error.advice).not.toContain("line 24");
    expect(existsSync(path)).toBe(false);
  }));

test("an optional command may fail", async () => {
  await carryOut([{ kind: "run", command: ["acutance-no-such-program"], optional: true }, node("")], "");
});

test("a manual step stops before anything is done", () =>
  inFolder(async (path) => {
    const steps: InstallStep[] = [
      { kind: "temporary-file", path, content: "x" },
      { kind: "manual", reason: "only root may install; run", instructions: ["sudo this"] },
    ];
    await expect(carryOut(steps, "no adapter")).rejects.toMatchObject({
      name: "NoAdapterError",
      message: "no adapter",
      advice: "only root may install; run:\nsudo this",
    });
    expect(existsSync(path)).toBe(false);
  }));
