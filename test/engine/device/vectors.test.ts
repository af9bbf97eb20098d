import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runArguments } from "../../../engine/device/check.ts";
import { canWidenVectors, keepVectorChoice, vectorChoice } from "../../../engine/device/vectors.ts";

const settled = ["LP_NATIVE_VECTOR_WIDTH", "MESA_SHADER_CACHE_DIR"] as const;
const before = Object.fromEntries([...settled, "ACUTANCE_CACHE"].map((name) => [name, process.env[name]]));
const folder = mkdtempSync(join(tmpdir(), "acutance-vectors-"));
const file = join(folder, "vectors.json");

function unsettle(): void {
  process.env["ACUTANCE_CACHE"] = folder;
  for (const name of settled) delete process.env[name];
}

/** Other tests of this process may have opened a device, which settles it. */
function restore(): void {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

unsettle();
const hasChoice = canWidenVectors();
restore();

beforeEach(() => {
  rmSync(file, { force: true });
  unsettle();
});
afterAll(() => {
  restore();
  rmSync(folder, { recursive: true });
});

describe.skipIf(process.platform !== "linux")("the choice of vectors", () => {
  test("is kept, and takes the wider ones only where they are clearly faster", async () => {
    expect(vectorChoice()).toBeUndefined();
    expect(await keepVectorChoice(1.4)).toMatchObject({ bits: 512, gain: 1.4 });
    expect(vectorChoice()).toMatchObject({ bits: 512, gain: 1.4 });
    await keepVectorChoice(1.05);
    expect(vectorChoice()).toMatchObject({ bits: 256, gain: 1.05 });
  });

  test("of another processor does not count, nor one that cannot be read", async () => {
    await keepVectorChoice(1.4);
    const choice = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...choice, processor: "another" }));
    expect(vectorChoice()).toBeUndefined();
    writeFileSync(file, JSON.stringify({ ...choice, bits: 1024 }));
    expect(vectorChoice()).toBeUndefined();
    writeFileSync(file, "{");
    expect(vectorChoice()).toBeUndefined();
  });

  test("is the user's where LP_NATIVE_VECTOR_WIDTH or the driver's cache is set", () => {
    for (const name of settled) {
      process.env[name] = "256";
      expect(canWidenVectors()).toBe(false);
      delete process.env[name];
    }
  });
});

/** What a fresh process has the driver do. */
function widthOf(): string {
  const module = new URL("../../../engine/device/provider.ts", import.meta.url).pathname;
  const program = join(folder, "program.ts");
  writeFileSync(
    program,
    `import { findGpu } from "${module}";
    await findGpu({ provider: "webgpu" });
    console.log(process.env["LP_NATIVE_VECTOR_WIDTH"] ?? "its own");`,
  );
  const { stdout, stderr, status } = spawnSync(process.execPath, [...runArguments(), program], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

describe.skipIf(!hasChoice)("a processor with vectors of 512 bits", () => {
  test("uses them where they were measured to be faster", async () => {
    expect(widthOf()).toBe("its own");
    await keepVectorChoice(0.9);
    expect(widthOf()).toBe("its own");
    await keepVectorChoice(1.5);
    expect(widthOf()).toBe("512");
  });

  test("is measured by acutance setup, once", () => {
    const program = new URL("../../../cli/main.ts", import.meta.url).pathname;
    const setup = () => {
      const { stdout, stderr, status } = spawnSync(process.execPath, [...runArguments(), program, "setup"], {
        encoding: "utf8",
      });
      if (status !== 0) throw new Error(stderr);
      return stdout;
    };
    const first = setup();
    // Another adapter has nothing to choose.
    if (!/llvmpipe/.test(first)) return;
    expect(first).toMatch(/vectors: (256|512) bits: with 512 this processor has \d+\.\d\d times the speed of 256/);
    const choice = vectorChoice();
    expect(choice?.gain).toBeGreaterThan(0);
    expect(setup()).not.toContain("vectors");
    expect(vectorChoice()).toEqual(choice!);
  });
});
