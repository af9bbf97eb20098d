import { expect, test } from "bun:test";
import { type Description, descriptionSchema } from "../../../engine/harness/description.ts";
import { KernelUsageError } from "../../../engine/harness/errors.ts";
import { type KernelRun, runKernel } from "../../../engine/harness/run.ts";
import { sharedDevice } from "../device.ts";
import { product, productDescription } from "./kernels.ts";

async function run(source: string, description: object, bounds = true): Promise<KernelRun> {
  const parsed: Description = descriptionSchema.parse(description);
  const options = { file: "mine.wgsl", runs: 1, leastMs: 0.01, bounds };
  return runKernel(await sharedDevice(), source, parsed, {}, options);
}

/** An invocation for each of 64 elements and more; `body` has `i`. */
function rows(body: string, { outside = "", type = "f32" } = {}): string {
  return `@group(0) @binding(0) var<storage> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<${type}>;
${outside}
@compute @workgroup_size(32) fn main(@builtin(global_invocation_id) id: vec3u) { let i = id.x;
${body}
}`;
}

const fifty = { buffers: { x: "50", y: "50" }, grid: "2" };
const guard = "if (i >= 50u) { return; }";

test("a result that is left out, or computed from what was there, does not agree", async () => {
  const relu = { ...fifty, reference: { operation: "relu" } };
  const skipping = await run(rows(`${guard} if (x[i] > 0) { y[i] = x[i]; }`), relu);
  expect(skipping.check!.wrong).toBe(skipping.repeats.dependent["y"]!.count);
  expect(skipping.check!.wrong).toBeGreaterThan(10);
  const adding = await run(rows(`${guard} y[i] = y[i] + x[i];`), { ...fifty, reference: { operation: "copy" } });
  expect(adding.check!.wrong).toBe(50);
  expect(adding.repeats.dependent["y"]).toEqual({ count: 50, elements: 50, first: [0] });
  const right = await run(rows(`${guard} y[i] = max(x[i], 0);`), relu);
  expect(right).toMatchObject({ check: { wrong: 0, nans: 0 }, bounds: { outside: [] } });
  expect(right.repeats).toEqual({ unsteady: {}, dependent: {} });
});

test("a reference of NaN does not hide what is left out", async () => {
  const source = rows(`${guard} if (x[i] > 0) { y[i] = log(x[i]); }`);
  const found = await run(source, { ...fifty, reference: { operation: "log" } });
  expect(found.check!.wrong).toBe(0);
  expect(found.check!.nans).toBe(found.repeats.dependent["y"]!.count);
});

test("integers hold a pattern, halves a NaN, before a kernel runs", async () => {
  const integers = await run(rows("if (i < 20u) { y[i] = i; }", { type: "u32" }), fifty);
  expect(integers.repeats.dependent["y"]).toEqual({ count: 30, elements: 50, first: [20] });
  if (!(await sharedDevice()).features.has("shader-f16")) return;
  const halves = `enable f16;\n${rows("if (i < 20u) { y[i] = f16(x[i]); }", { type: "f16" })}`;
  const found = await run(halves, { ...fifty, reference: { operation: "copy" } });
  expect(found.check).toMatchObject({ wrong: 30, first: { index: [20], found: Number.NaN } });
});

test("kernels in place: a buffer that is an operand, or has a fill, is an input", async () => {
  const source = `@group(0) @binding(0) var<storage, read_write> data: array<f32>;
    @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) { data[id.x] = max(data[id.x], 0); }`;
  const map = { x: "data", out: "data" };
  const inPlace = await run(source, { buffers: { data: "50" }, grid: "50", reference: { operation: "relu", map } });
  expect(inPlace.check).toMatchObject({ wrong: 0, elements: 50 });
  expect(inPlace.repeats).toEqual({ unsteady: {}, dependent: {} });
  const counting = rows("atomicAdd(&y[i % 4u], 1u);", { type: "atomic<u32>" });
  const filled = await run(counting, { buffers: { x: "4", y: { shape: "4", fill: 0 } }, grid: "1" });
  expect(filled.repeats.dependent).toEqual({});
  const unfilled = await run(counting, { buffers: { x: "4", y: "4" }, grid: "1" });
  expect(unfilled.repeats.dependent["y"]!.count).toBe(4);
});

test("a result that depends on the order of invocations is told from one that depends on what was there", async () => {
  // Each element is written by many invocations; which is last is chance, so that two runs may be alike by chance, too.
  const { repeats } = await run(rows("y[i % 2u] = f32(i);"), { buffers: { x: "1", y: "2" }, grid: "60000" });
  expect(repeats.dependent).toEqual({});
});

/** Accesses out of bounds as text. */
async function outside(source: string, description: object = fifty): Promise<string[]> {
  const { bounds } = await run(source, description);
  expect(bounds!.unchecked).toBeUndefined();
  return bounds!.outside.map(
    ({ line, column, of, access, index, length, count }) =>
      `${line}:${column} ${of} ${access} ${index}/${length} x${count}`,
  );
}

test("accesses beyond the ends of buffers are found with place, index and count", async () => {
  // 64 invocations on 50 elements.
  expect(await outside(rows("y[i] = max(x[i], 0);"))).toEqual(["5:1 y written 50/50 x14", "5:12 x read 50/50 x14"]);
  expect(await outside(rows(`${guard}\ny[i] = x[i + 1u];`))).toEqual(["6:8 x read 50/50 x1"]);
  expect(await outside(rows(`${guard}\ny[i] = x[i32(i) - 1];`))).toEqual(["6:8 x read -1/50 x1"]);
  expect(await outside(rows(`${guard}\ny[i] = x[i - 1u];`))).toEqual(["6:8 x read -1/50 x1"]);
  expect(await outside(rows("y[i] += 1; y[1000 + i]++; ", { type: "u32" }))).toEqual([
    "5:1 y written 50/50 x14",
    "5:12 y written 1000/50 x64",
  ]);
  expect(await outside(rows("if (i < arrayLength(&y)) { y[i] = x[min(i, arrayLength(&x) - 1u)]; }"))).toEqual([]);
  expect(await outside(rows("for (var k = 0u; k <= 50u; k++) { if (i == 0u) { y[0] = x[k]; } }"))).toEqual([
    "5:57 x read 50/50 x1",
  ]);
  // The second is not reached where the first is false.
  expect(await outside(rows(`if (i < 50u && x[i] > 0) { y[i] = 1; }`))).toEqual([]);
  expect(await outside(product(), productDescription)).toEqual([]);
});

test("accesses out of bounds through members, pointers, vectors, nested arrays, workgroup memory and variables", async () => {
  const kinds: readonly [body: string, outside: string, found: string[]][] = [
    ["let p = &x; y[0] = (*p)[i];", "", ["5:20 (*p) read 50/50 x14"]],
    [
      "y[0] = at(&x, i);",
      "fn at(p: ptr<storage, array<f32>>, k: u32) -> f32 { return (*p)[k]; }",
      ["3:60 (*p) read 50/50 x14"],
    ],
    ["y[0] = tile[i];", "var<workgroup> tile: array<f32, 60>;", ["5:8 tile read 60/60 x4"]],
    [
      "y[0] = mine[i / 32u].b[i];",
      "struct S { a: u32, b: array<f32, 40> } var<private> mine: array<S, 1>;",
      ["5:8 mine read 1/1 x32", "5:8 mine[i / 32u].b read 40/40 x24"],
    ],
    ["var v = vec4f(x[0]); v[i / 16u + 1u] = 1; y[0] = v.y;", "", ["5:22 v written 4/4 x16"]],
    ["var m = mat2x3f(); y[0] = m[i / 32u][i / 16u];", "", ["5:27 m[i / 32u] read 3/3 x16"]],
    ["var a: array<array<f32, 3>, 2>; y[0] = a[i % 2u][i % 4u]; // a[i]", "", ["5:40 a[i % 2u] read 3/3 x16"]],
    [
      "y[0] = f32(counts[i]);",
      "alias Counts = array<u32, N>; const N = 60; var<private> counts: Counts;",
      ["5:12 counts read 60/60 x4"],
    ],
    // A name of its own in the function is not the buffer.
    ["var x = array<f32, 64>(); y[0] = x[i];", "", []],
  ]; // prettier-ignore
  for (const [body, around, found] of kinds) expect(await outside(rows(body, { outside: around }))).toEqual(found);
});

test("a struct that ends in a buffer's array, and a half beyond an odd count", async () => {
  const source = `struct List { count: u32, values: array<u32> }
@group(0) @binding(0) var<storage, read_write> list: List;
@compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u) {
list.values[id.x] = list.count;
}`;
  const description = { buffers: { list: { shape: "8", type: "u32", fill: 1 } }, grid: "1" };
  expect(await outside(source, description)).toEqual(["4:1 list.values written 7/7 x1"]);
  if (!(await sharedDevice()).features.has("shader-f16")) return;
  const halves = `enable f16;\n${rows("if (i < 52u) { y[i] = f16(x[0]); }", { type: "f16" })}`;
  expect(await outside(halves, { buffers: { x: "1", y: "51" }, grid: "2" })).toEqual(["6:16 y written 51/51 x1"]);
});

test("the check for bounds can be left out", async () => {
  expect((await run(rows("y[i] = x[i];"), fifty, false)).bounds).toBeNull();
});

test("the compiler has the first word on what is not WGSL, with the place in the file", async () => {
  const right = rows(`${guard} y[i] = x[i];`);
  const line = (text: string) => right.slice(0, right.indexOf(text)).split("\n").length;
  const broken: readonly [source: string, place: number, words: RegExp][] = [
    // The compiler points at what comes instead.
    [right.replace("x: array<f32>;", "x: array<f32>"), 2, /';'/],
    [right.replace("y: array<f32>;", "y: array<f32>"), 4, /';'/],
    [right.replace("y[i] = x[i];", "y[i] = x[i]"), 6, /';'/],
    [right.replace("let i = id.x;", "let i = id.x"), line("if (i"), /';'/],
    [right.replace(/\}$/, ""), 5, /'\}'/],
    [right.replace("array<f32>", "array<real>"), 1, /real/],
    [right.replace("@compute", "@kernel"), 4, /kernel/],
    [right.replace("@workgroup_size(32)", ""), 4, /workgroup_size/],
    [right.replace("binding(1)", "binding(-1)"), 2, /binding/],
    [right.replace("<storage, read_write>", "<storage, write_only>"), 2, /write_only/],
    ["int main() { return 0; }", 1, /token/],
    ["\tlet a = 1;", 1, /module-scope/],
  ];
  for (const [source, place, words] of broken) {
    const error = await run(source, fifty).then(
      () => new Error("it ran"),
      (thrown: Error) => thrown,
    );
    expect(error.message).toMatch(words);
    expect(error.message).toMatch(new RegExp(`^mine\\.wgsl:${place}:\\d+: [^|]*\\n +${place} \\| .*\\n +\\| \\s*\\^`));
    expect(error).not.toBeInstanceOf(KernelUsageError);
  }
  expect(run("const a = 1;", fifty)).rejects.toThrow("mine.wgsl: no");
  const two = `${right}\n@compute @workgroup_size(1) fn other() {}`;
  expect(run(two, fifty)).rejects.toThrow("mine.wgsl has the entry points main, other; name one with --entry");
});
