import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expandKernel } from "../../../engine/harness/compile.ts";
import { nullDevice } from "../../../engine/inspect/driver.ts";
import { type Inspection, inspectKernels } from "../../../engine/inspect/inspect.ts";
import { wavesByRegisters } from "../../../engine/inspect/occupancy.ts";
import { inProcesses } from "../../../engine/inspect/processes.ts";
import { bindingsIn, dumpsIn, type InspectSource, toSpirv } from "../../../engine/inspect/spirv.ts";
import { targetNamed } from "../../../engine/inspect/targets.ts";
import { specialise } from "../../../engine/kernel/source.ts";
import type { Constants } from "../../../engine/kernel/template.ts";
import { missing } from "./radv.ts";

const withRadv = test.skipIf(missing !== undefined);

function engineKernel(name: string, constants: Constants, halves: string[] = []): InspectSource {
  const { file, wgsl } = specialise(name, constants, halves);
  return { kernel: { file, wgsl, lines: [] } };
}

function own(wgsl: string, constants: Constants = {}, entry?: string): InspectSource {
  return { kernel: expandKernel(wgsl, constants, "own.wgsl"), constants, ...(entry !== undefined && { entry }) };
}

const tile = { SCATTER: false, ACTIVATION: "none", BIAS: false, NORM: false };
const shared = {
  ...tile,
  THREADS: 64,
  COPIES: 4,
  THREADS_X: 8,
  THREADS_Y: 8,
  ROWS: 8,
  COLUMNS: 2,
  DEPTH: 4,
  X_LOADS: 4,
  WEIGHT_LOADS: 4,
};
const ten: readonly InspectSource[] = [
  engineKernel("elementwise/binary", { OP: "add", WORKGROUP: 64 }),
  engineKernel("elementwise/binary", { OP: "divide", WORKGROUP: 256 }, ["a", "b", "y"]),
  engineKernel("conv/shared_tile", shared),
  engineKernel("conv/shared_tile", { ...shared, BIAS: true, ACTIVATION: "relu" }),
  engineKernel("conv/tile", { ...tile, BROADCAST: true, LOOP: false, LANES: 32, ROW_LANES: 32, GROUPS: 1, COLUMNS: 1 }),
  engineKernel("conv/tile", { ...tile, BROADCAST: false, LOOP: false, LANES: 16, ROW_LANES: 1, GROUPS: 8, COLUMNS: 1 }),
  engineKernel("roof/count", {}),
  engineKernel("doctor/square", {}),
  own(reduction()),
  own(stencil()),
];

/** A sum over a workgroup's shared memory, with a loop whose end is not known. */
function reduction(): string {
  return `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
var<workgroup> part: array<f32, 128>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) group: vec3u) {
  var sum = 0.0;
  for (var at = i; at < arrayLength(&x); at += 128u) { sum = fma(x[at], x[at], sum); }
  part[i] = sum;
  for (var half = 64u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (i < half) { part[i] += part[i + half]; }
  }
  if (i == 0u) { y[group.x] = part[0]; }
}`;
}

function stencil(): string {
  return `
struct Sizes { width: u32, height: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(5) var<uniform> sizes: Sizes;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var sum = vec4f();
  for (var v = 0u; v < 5u; v++) {
    for (var u = 0u; u < 5u; u++) { sum += x[(id.y + v) * sizes.width + id.x + u] * f32(u * v); }
  }
  y[id.y * sizes.width + id.x] = sum;
}`;
}

async function inspectedOn(sources: readonly InspectSource[], gpus: string[], wave?: number): Promise<Inspection[][]> {
  const outcomes = await inspectKernels(sources, { gpus, ...(wave && { wave }) });
  return outcomes.map((row) =>
    row.map((outcome) => {
      if ("failure" in outcome) throw new Error(`${outcome.gpu}: ${outcome.failure}`);
      return outcome.inspection;
    }),
  );
}

/** What is read from the assembly against the compiler's own count. */
function expectAgreement({ statistics, code, gpu }: Inspection): void {
  const { counts } = code!;
  const driver = (name: string) => [gpu, name, statistics[name]!];
  expect([gpu, "VALU", counts.multiplyAdd + counts.vector]).toEqual(driver("VALU"));
  expect([gpu, "SALU", counts.scalar]).toEqual(driver("SALU"));
  expect([gpu, "VMEM", counts.globalMemory]).toEqual(driver("VMEM"));
  expect([gpu, "SMEM", counts.scalarMemory]).toEqual(driver("SMEM"));
  expect([gpu, "VOPD", counts.dualIssue]).toEqual(driver("VOPD"));
  expect([gpu, "Branches", counts.branch]).toEqual(driver("Branches"));
  // What aligns the start of a loop is put in behind the count.
  const late = counts.all - statistics["Instructions"]!;
  expect(late).toBeGreaterThanOrEqual(0);
  expect(late).toBeLessThan(4);
  expect(counts.other).toBe(0);
}

describe("agreement with the driver", () => {
  for (const [wave, gpus] of [
    [64, ["vega10", "navi10", "navi21", "navi31", "gfx1200", "phoenix"]],
    [32, ["navi21", "navi31", "gfx1200"]],
  ] as const) {
    withRadv(`ten kernels, waves of ${wave}: instructions by kind, and waves by registers`, async () => {
      for (const row of await inspectedOn(ten, [...gpus], wave)) {
        for (const found of row) {
          expect(found.wave).toBe(wave);
          expectAgreement(found);
          expectWaves(found);
        }
      }
    });
  }

  withRadv("figures alone are those beside the assembly, of plain WGSL too", async () => {
    const sources = [...ten.slice(2, 4), { kernel: reduction() }];
    const alone = await inspectKernels(sources, { gpus: ["navi31"], figuresOnly: true });
    const whole = await inspectedOn(sources, ["navi31"]);
    for (const [i, [outcome]] of alone.entries()) {
      const { code, hottestLoop, assembly, estimates, ...figures } = (outcome as { inspection: Inspection }).inspection;
      expect([code, hottestLoop, assembly]).toEqual([null, null, ""]);
      expect(estimates.inverseThroughput).toBe(whole[i]![0]!.estimates.inverseThroughput);
      expect(whole[i]![0]!).toMatchObject(figures);
    }
  });

  withRadv("RADV_DEBUG=shaderstats prints what is told", async () => {
    const text = await shaderStatistics(ten, "navi31");
    const blocks = text.split("*** SHADER STATS ***").slice(1);
    expect(blocks).toHaveLength(ten.length);
    const rows = await inspectedOn(ten, ["navi31"]);
    for (const [i, block] of blocks.entries()) {
      const printed = Object.fromEntries(
        [...block.matchAll(/^([A-Z][\w -]*): (\d+)$/gm)].map(([, name, n]) => [name!, Number(n)]),
      );
      const { statistics, vectorRegisters, spilledVectorRegisters, codeBytes, workgroupBytes, estimates, code } =
        rows[i]![0]!;
      for (const [name, value] of Object.entries(printed)) {
        // Hashes are of the process, or wider than a number.
        if (!/hash/i.test(name)) expect([name, statistics[name]]).toEqual([name, value]);
      }
      expect(printed["VGPRs"]).toBe(vectorRegisters!);
      expect(printed["Spilled VGPRs"]).toBe(spilledVectorRegisters!);
      expect(printed["Code size"]).toBe(codeBytes!);
      expect(printed["LDS size"]).toBe(workgroupBytes!);
      expect(printed["Inverse Throughput"]).toBe(estimates.inverseThroughput!);
      expect(printed["VALU"]).toBe(code!.counts.multiplyAdd + code!.counts.vector);
    }
  });

  withRadv("every target of the table compiles, with as many waves as its driver says", async () => {
    const { targets } = await import("../../../engine/inspect/targets.ts");
    const names = targets.map(({ name }) => name);
    const [row] = await inspectedOn([ten[5]!], names);
    expect(row!.map(({ gpu }) => gpu)).toEqual(names);
    for (const found of row!) {
      expect(found.device.toLowerCase()).toContain(found.gpu);
      expectAgreement(found);
      expectWaves(found);
    }
  });
});

/** The driver's waves count those of 32 lanes on RDNA, and more slots than there are for them. */
function expectWaves({
  gpu,
  wave,
  statistics,
  vectorRegisters,
  scalarRegisters,
  workgroupBytes,
  occupancy,
}: Inspection): void {
  const target = targetNamed(gpu);
  const perWave = target.architecture === "GCN" ? 1 : wave / 32;
  const driver = statistics["Subgroups per SIMD"]! / perWave;
  const needs = {
    wave,
    vectorRegisters: vectorRegisters!,
    scalarRegisters: scalarRegisters!,
    workgroupBytes: 0,
    invocations: wave,
  };
  if (workgroupBytes === 0)
    expect([gpu, Math.min(target.waveSlots, wavesByRegisters(target, needs))]).toEqual([
      gpu,
      Math.min(driver, target.waveSlots),
    ]);
  expect(occupancy!.waves).toBeLessThanOrEqual(Math.max(1, driver));
}

/** Standard error of the process in which the driver compiles. */
async function shaderStatistics(sources: readonly InspectSource[], gpu: string): Promise<string> {
  const requests = (await toSpirv(sources)).map((answer) => ({ kernel: (answer as { done: unknown }).done }));
  const script = fileURLToPath(new URL("../../../engine/inspect/vulkan-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script], {
    env: { ...nullDevice(gpu), RADV_DEBUG: "shaderstats" },
    stdio: ["pipe", "ignore", "pipe"],
  });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  child.stdin.end(JSON.stringify(requests));
  await new Promise((resolve) => child.once("close", resolve));
  return text;
}

describe("what is seen in a kernel", () => {
  withRadv("of a product: products in the hottest loop, none elsewhere; of a copy none", async () => {
    const [product, copy] = await inspectedOn([ten[2]!, ten[0]!], ["navi31", "gfx1200"], 32);
    for (const { hottestLoop, code, spilledVectorRegisters } of product!) {
      // 8 rows, 2 vec4 columns and 16 numbers of the depth a turn.
      expect(hottestLoop!.multiplyAdds).toBe(8 * 8 * 16);
      expect(code!.multiplyAdds).toBe(hottestLoop!.multiplyAdds);
      expect(hottestLoop!.multiplyAddShare).toBeGreaterThan(0.9);
      expect(hottestLoop!.counts.dualIssue).toBeGreaterThan(100);
      // Eight vec4s of x and eight of the weight are read for 256 products, and eight written for all.
      expect(hottestLoop!.workgroupBytesPerMultiplyAdd).toBe((4 * 16 * 16 + 8 * 16) / 1024);
      expect(hottestLoop!.globalBytesPerMultiplyAdd).toBe((8 * 16) / 1024);
      expect(hottestLoop!.depth).toBe(0);
      expect(spilledVectorRegisters).toBe(0);
    }
    for (const { hottestLoop, code } of copy!) {
      expect(hottestLoop).toBeNull();
      expect(code!.globalBytesPerMultiplyAdd).toBeNull();
      expect(code!.counts.globalMemory).toBe(3);
    }
  });

  withRadv("registers that do not suffice are spilled, and that is told", async () => {
    const live = Array.from({ length: 300 }, (_, i) => i);
    const wgsl = `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1024)
fn main(@builtin(global_invocation_id) id: vec3u) {
${live.map((i) => `  var v${i} = y[id.x + ${i * 1024}u];`).join("\n")}
  for (var n = 0u; n < arrayLength(&y); n++) {
${live.map((i) => `    v${i} = sin(v${i}) * v${(i + 1) % live.length};`).join("\n")}
  }
${live.map((i) => `  y[id.x + ${i * 1024}u] = v${i};`).join("\n")}
}`;
    const [[found]] = (await inspectedOn([own(wgsl)], ["navi21"], 64)) as [[Inspection]];
    expect(found.spilledVectorRegisters).toBeGreaterThan(100);
    expect(found.scratchBytes).toBeGreaterThan(0);
    expect(found.workgroup).toEqual([1024, 1, 1]);
    // 16 waves of a workgroup are 4 on each SIMD, or none.
    expect(found.occupancy!.waves).toBe(4);
  });

  withRadv("overrides and entry points are those asked for", async () => {
    const wgsl = `override SIZE: u32 = 4;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(SIZE) fn one(@builtin(global_invocation_id) id: vec3u) { y[id.x] = 1.0; }
@compute @workgroup_size(32) fn two(@builtin(global_invocation_id) id: vec3u) { y[id.x] = sqrt(y[id.x]); }`;
    const sources = [own(wgsl, { SIZE: 96 }, "one"), own(wgsl, {}, "two")];
    const rows = await inspectedOn(sources, ["navi21"]);
    expect(rows.map(([found]) => found!.workgroup)).toEqual([
      [96, 1, 1],
      [32, 1, 1],
    ]);
    expect(rows[1]![0]!.assembly).toContain("v_sqrt_f32");
  });
});

describe("what cannot be compiled", () => {
  const bad =
    "@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n@compute @workgroup_size(1) fn main() {\n  y[0] = nothing;\n}";

  withRadv("WGSL that is none is told with its line; the kernels beside it are compiled", async () => {
    const [wrong, right, entry] = await inspectKernels([own(bad), ten[0]!, own(stencil(), {}, "other")], {
      gpus: ["navi31", "vega10"],
    });
    for (const outcome of wrong!) {
      const { failure } = outcome as { failure: string };
      expect(failure).toContain("own.wgsl:3:10: unresolved value 'nothing'");
      expect(failure).toContain("    3 |   y[0] = nothing;");
    }
    expect(right!.every((outcome) => "inspection" in outcome)).toBe(true);
    expect(entry![0]).toMatchObject({ failure: "own.wgsl has no entry point other; it has main", usage: true });
  });

  test("unknown GPUs and waves that a GPU does not have are refused before anything is done", async () => {
    expect(inspectKernels(ten, { gpus: ["navi99"] })).rejects.toThrow(
      'there is no GPU "navi99" to compile for; there are',
    );
    if (missing === undefined)
      expect(inspectKernels(ten, { gpus: ["vega10"], wave: 32 })).rejects.toThrow(
        "vega10 (GCN) has waves of 64 lanes, not of 32",
      );
  });

  test("a driver that is not installed is named with the command that installs it", () => {
    const environment = { ...process.env, ACUTANCE_RADV_MANIFEST: "/nowhere/radeon_icd.json" };
    expect(() => nullDevice("navi31", environment)).toThrow("apt-get install mesa-vulkan-drivers");
  });

  test("so is an assembler", async () => {
    const path = process.env["PATH"];
    process.env["PATH"] = "/nowhere";
    try {
      await expect(toSpirv([])).rejects.toThrow("apt-get install spirv-tools");
    } finally {
      process.env["PATH"] = path;
    }
  });

  withRadv("a driver that ends its process is one that refuses, kernel by kernel", async () => {
    const [first, second] = await toSpirv([ten[0]!, ten[7]!]);
    const script = new URL("../../../engine/inspect/vulkan-process.ts", import.meta.url);
    const requests = [first, second].map((answer) => ({ kernel: (answer as { done: unknown }).done }));
    const answers = await inProcesses({ script, requests, environment: nullDevice("navi99") });
    expect(answers).toHaveLength(2);
    for (const answer of answers) expect(answer).toMatchObject({ failed: expect.stringMatching(/^ended .*family/is) });
  });

  withRadv("a driver that does not tell is named, where no GPU was asked for", async () => {
    // Whatever adapter is here, it tells or says that it does not.
    const answer = await inspectKernels([ten[0]!]).catch((error: Error) => error.message);
    if (typeof answer === "string") expect(answer).toMatch(/does not tell what it makes of a kernel|has no driver/);
    else expect(answer[0]![0]).toHaveProperty("inspection");
  });
});

describe("Dawn's text", () => {
  test("modules are found by the marker at the end of the WGSL before them", () => {
    const output = [
      "info:\n// Dumped WGSL:\nfn a() {}\n// acutance inspects 3\n",
      "info:\n/* Dumped SPIRV disassembly */\n; SPIR-V\n  one\n",
      "info:\n// Dumped WGSL:\nfn other() {}\ninfo:\n/* Dumped SPIRV disassembly */\n; not ours\n",
      "info:\n// Dumped WGSL:\n// acutance inspects 0\ninfo:\n/* Dumped SPIRV disassembly */\n; SPIR-V\n  two\n",
    ].join("");
    expect(Object.fromEntries(dumpsIn(output))).toEqual({
      "acutance inspects 3": "; SPIR-V\n  one\n",
      "acutance inspects 0": "; SPIR-V\n  two\n",
    });
  });

  test("bindings are those that have a place", () => {
    const text = `
               OpDecorate %1 DescriptorSet 1
               OpDecorate %1 Binding 4
               OpDecorate %2 DescriptorSet 0
               OpDecorate %2 Binding 0
          %1 = OpVariable %_ptr_Uniform_x Uniform
          %2 = OpVariable %_ptr_StorageBuffer_x StorageBuffer
          %3 = OpVariable %_ptr_Workgroup_x Workgroup`;
    expect(bindingsIn(text)).toEqual([
      { set: 1, binding: 4, kind: "uniform" },
      { set: 0, binding: 0, kind: "storage" },
    ]);
  });
});
