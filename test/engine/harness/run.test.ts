import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Description, descriptionSchema } from "../../../engine/harness/description.ts";
import { type KernelRun, type RunOptions, runKernel, summaryOf } from "../../../engine/harness/run.ts";
import { enginePart } from "../../../engine/kernel/text.ts";
import { openSafetensors, writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { toFloat32 } from "../../../engine/weights/stored.ts";
import { sharedDevice } from "../device.ts";
import { product, productDescription } from "./kernels.ts";

async function run(
  source: string,
  description: object,
  options: Partial<RunOptions> = {},
  point = {},
): Promise<KernelRun> {
  const parsed: Description = descriptionSchema.parse(description);
  return runKernel(await sharedDevice(), source, parsed, point, {
    file: "mine.wgsl",
    runs: 2,
    leastMs: 0.01,
    ...options,
  });
}

test("a right kernel agrees with its reference and is timed", async () => {
  const result = await run(product(), productDescription);
  expect(result.check).toMatchObject({ operation: "matmul", wrong: 0, elements: 130 });
  expect(result.check!.operands).toEqual({ a: "lhs", b: "rhs", out: "c" });
  expect(result.check!.relative).toBeLessThan(1e-6);
  expect(result).toMatchObject({ entryPoint: "gemm", workgroup: [8, 4, 1], grid: [2, 4, 1] });
  expect(result.flops).toBe(2 * 13 * 10 * 7);
  expect(result.bytes).toBe(4 * (13 * 7 + 7 * 10 + 13 * 10));
  expect(result.milliseconds.median).toBeGreaterThan(0);
  expect(result.gflops).toBeCloseTo(result.flops! / result.milliseconds.median / 1e6, 9);
});

test("a wrong kernel is caught, with the place and both values", async () => {
  // The last product of each sum is left out from row 3, column 2 on.
  const late = "select(1.0, 0.0, k == 6u && id.y * 10u + id.x >= 32u)";
  const { check } = await run(
    product(`lhs[id.y * sizes.K + k] * rhs[k * sizes.N + id.x] * ${late}`),
    productDescription,
  );
  expect(check!.wrong).toBeGreaterThan(80);
  expect(check!.first!.index).toEqual([3, 2]);
  expect(check!.first!.found).not.toBe(check!.first!.expected);
  expect(check!.absolute).toBeGreaterThan(0.01);
});

test("an output that is never written is caught where it was filled with nan", async () => {
  const { check } = await run(product(), { ...productDescription, grid: "1, 4" });
  expect(check!.first!.index).toEqual([0, 8]);
  expect(check!.first!.found).toBeNaN();
  expect(check!.absolute).toBe(Number.POSITIVE_INFINITY);
});

test("a compiler's error points into the file before the template step", async () => {
  const source = product("lhs[{{ROWS}}u * k] * missing").replace(
    "var sum = 0.0;",
    "//#if FAST\n  var sum = 0.0;\n//#end",
  );
  const description = { ...productDescription, constants: { ...productDescription.constants, FAST: true, ROWS: 1000 } };
  const message = await run(source, description).then(
    () => "",
    (error: Error) => error.message,
  );
  const line = source.split("\n").findIndex((text) => text.includes("missing")) + 1;
  const column = source.split("\n")[line - 1]!.indexOf("missing") + 1;
  expect(message).toStartWith(`mine.wgsl:${line}:${column}: `);
  expect(message).toContain("missing");
  expect(message).toContain(`${" ".repeat(column - 1)}^`);
  expect(message).toContain("as  |     sum += lhs[1000u * k] * missing;");
});

describe("a kernel that uses parts", () => {
  const used = (text: string) => ({ part: (name: string) => (name === "own/product" ? text : enginePart(name)) });
  const product3 = "// x times y.\n//#if TWICE\nfn times(x: f32, y: f32) -> f32 {\n  return x * y;\n}\n//#end\n";
  const source = `//#use own/product\n${product("times(lhs[id.y * sizes.K + k], rhs[k * sizes.N + id.x])")}`;
  const description = { ...productDescription, constants: { ...productDescription.constants, TWICE: true } };

  test("runs, and may use the engine's", async () => {
    const { check } = await run(source, description, used(product3));
    expect(check!.wrong).toBe(0);
    const engine = `//#use number/nan\n${product("select(lhs[id.y * sizes.K + k] * rhs[k * sizes.N + id.x], 0.0, is_nan(rhs[0]))")}`;
    expect((await run(engine, productDescription)).check!.wrong).toBe(0);
  });

  test("a compiler's error in a part has its file and line, one behind it those of the kernel", async () => {
    const failure = (text: string, kernel = source) =>
      run(kernel, description, used(text)).then(
        () => "",
        (error: Error) => error.message,
      );
    expect(await failure(product3.replace("x * y", "x * missing"))).toMatch(
      /^own\/product\.wgsl:4:14: .*\n +4 \| {3}return x \* missing;\n +\| {14}\^/,
    );
    const broken = source.replace("var sum = 0.0;", "var sum = nothing;");
    const line = broken.split("\n").findIndex((text) => text.includes("nothing")) + 1;
    expect(await failure(product3, broken)).toStartWith(`mine.wgsl:${line}:`);
    expect(await failure("//#if {{A}}")).toContain("own/product.wgsl:1: ");
  });

  test("an access out of bounds in a part is placed there", async () => {
    const reading =
      "//#if TWICE\nfn times(x: f32, y: f32) -> f32 {\n  return x * y + 0.0 * lhs[sizes.K * 1000u];\n}\n//#end\n";
    const { bounds } = await run(source, description, used(reading));
    expect(bounds!.outside[0]).toMatchObject({ part: "own/product.wgsl", line: 3, column: 24, of: "lhs", index: 7000 });
    const far = await run(product().replace("lhs[", "lhs[4000u + "), productDescription);
    expect(far.bounds!.outside[0]!.part).toBeUndefined();
  });
});

test("what does not fit is refused in words", async () => {
  const refused = (description: object, source = product()) => expect(run(source, description)).rejects;
  await refused({ ...productDescription, buffers: { lhs: "M, K", rhs: "K, N" } }).toThrow(
    'buffer "c" (array<f32>) has no shape',
  );
  await refused({ ...productDescription, grid: "N / WG" }).toThrow('the grid "N / WG" is 1.25; use ceil(…)');
  await refused({ ...productDescription, params: { Q: 1 } }).toThrow('the uniform has no field "Q"; it has M, N, K');
  await refused({ ...productDescription, entry: "other" }).toThrow("no entry point other; it has gemm");
  await refused({ ...productDescription, constants: { ...productDescription.constants, WG: 4096 } }).toThrow(
    "no pipeline",
  );
  const { M: _, ...withoutM } = productDescription.constants;
  await refused({ ...productDescription, constants: withoutM }).toThrow("M is neither a constant nor a buffer");
  await refused({
    ...productDescription,
    reference: { operation: "matmul", map: { a: "rhs", b: "lhs" } },
  }).toThrow("matmul of rhs [7, 10], lhs [13, 7]: matrix product");
  // The device is as usable as before.
  expect((await run(product(), productDescription)).check!.wrong).toBe(0);
});

test.skipIf(!(await sharedDevice()).features.has("shader-f16"))(
  "halves, vectors and windows: conv2d on f16",
  async () => {
    const source = `enable f16;
    alias Four = vec4<f16>;
    @group(0) @binding(0) var<storage> x: array<Four>;      // [1, H, W, 4]
    @group(0) @binding(1) var<storage> weight: array<Four>; // [3, 3, 4, 4]
    @group(0) @binding(2) var<storage, read_write> y: array<Four>;
    const H = {{H}}; const W = {{W}};
    @compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u) {
      let at = vec2i(id.xy);
      if (at.x >= W || at.y >= H) { return; }
      var sum = vec4f();
      for (var t = 0; t < 9; t++) {
        let p = at + vec2i(t % 3 - 1, t / 3 - 1);
        if (any(p < vec2i()) || p.x >= W || p.y >= H) { continue; }
        let v = vec4f(x[p.y * W + p.x]);
        for (var c = 0; c < 4; c++) { sum += v[c] * vec4f(weight[t * 4 + c]); }
      }
      y[at.y * W + at.x] = Four(sum);
    }`;
    const { check, flops } = await run(source, {
      constants: { H: 5, W: 9 },
      buffers: { x: "1, H, W, 4", weight: "3, 3, 4, 4", y: "1, H, W, 4" },
      grid: "ceil(W / 8), H",
      reference: { operation: "conv2d", options: { padding: 1 } },
    });
    expect(check).toMatchObject({ wrong: 0, tolerance: 4e-3 });
    expect(flops).toBe(2 * 5 * 9 * 4 * 4 * 9);
  },
);

test("inputs come from a file and all buffers go to one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "acutance-harness-"));
  try {
    const [given, left] = [join(folder, "in.safetensors"), join(folder, "out.safetensors")];
    const data = Float32Array.from([1, -2, 3]);
    await writeSafetensors(given, [{ name: "x", dtype: "F32", shape: [3], data }]);
    const source = `@group(0) @binding(0) var<storage> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> y: array<f32>;
      @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = max(x[id.x], 0) + f32(arrayLength(&x)) - 3; }`;
    await using inputs = await openSafetensors(given);
    await run(
      source,
      { buffers: { x: 3, y: { shape: 3, fill: 9 } }, grid: "x.size", reference: { operation: "relu" } },
      { inputs, dump: (tensors) => writeSafetensors(left, tensors) },
    );
    await using file = await openSafetensors(left);
    const read = async (name: string) => [...toFloat32(await file.read(name))];
    expect(await read("x")).toEqual([1, -2, 3]);
    expect(await read("y.before")).toEqual([9, 9, 9]);
    expect(await read("y")).toEqual([1, 0, 3]);
    expect(await read("y.expected")).toEqual([1, 0, 3]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the spread is half the distance of the 16th and 84th percentile", () => {
  const times = Array.from({ length: 101 }, (_, i) => 100 - i);
  expect(summaryOf(times)).toEqual({ median: 50, least: 0, most: 100, spread: 34, runs: 101 });
});
