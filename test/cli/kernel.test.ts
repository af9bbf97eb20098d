import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { parseDescription, readDescription, readTask } from "../../cli/kernel-description.ts";
import { heatOf, judged, type Report, sweepText } from "../../cli/kernel-report.ts";
import { product, productDescription } from "../engine/harness/kernels.ts";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "acutance-kernel-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function kernel(words: string[]) {
  return spawnSync(process.execPath, [main, "kernel", ...words], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
}

const wgsl = file("gemm.wgsl", product());
const described = file("gemm.jsonc", `// a product\n${JSON.stringify({ kernel: "gemm.wgsl", ...productDescription })}`);

test("a sweep from a description: table by time, failing points with reasons, CSV and pages", () => {
  const page = join(folder, "sweep.html");
  const { status, stdout, stderr } = kernel([
    ...["run", described, "--sweep", "ROWS=2,4", "--sweep", "WG=8,4096", "--runs", "2", "--no-roofs", "--csv"],
    ...["--html", page],
  ]);
  expect(stderr).not.toContain("error:");
  expect(status).toBe(0);
  const rows = parse(stdout, { columns: true }) as Record<string, string>[];
  expect(rows.map(({ WG }) => WG)).toEqual(["8", "8", "4096", "4096"]);
  expect(Number(rows[0]!["median_ms"])).toBeLessThanOrEqual(Number(rows[1]!["median_ms"]));
  expect(rows[0]).toMatchObject({ problem: "", roof: "" });
  expect(Number(rows[0]!["relative_error"])).toBeLessThan(1e-6);
  expect(rows[2]!["problem"]).toContain("gemm.wgsl: no pipeline");
  const html = readFileSync(page, "utf8");
  expect(html).toContain("Sweep of gemm.wgsl");
  expect(html).toContain("<svg");
  expect(html).toContain("no pipeline");
});

test("a wrong kernel fails with the first wrong element, a broken one with its line", () => {
  const wrong = file("wrong.wgsl", product("lhs[id.y * sizes.K + k] + rhs[k * sizes.N + id.x]"));
  const options = ["--config", file("g.toml", toml), "--runs", "1", "--no-roofs"];
  const found = kernel(["run", wrong, ...options]);
  expect(found.status).toBe(1);
  expect(found.stdout).toMatch(
    /^wrong result: \d+ of 130 elements; the first at \[0, 0\] is -?[\d.]+, matmul has -?[\d.]+$/m,
  );
  expect(found.stdout).toContain("WRONG matmul (a = lhs, b = rhs, out = c)");
  const broken = kernel(["run", file("broken.wgsl", product("nothing")), ...options, "--json"]);
  expect(broken.status).toBe(1);
  expect(JSON.parse(broken.stdout).results[0].problem).toStartWith("broken.wgsl:14:12: ");
});

const toml = `
grid = ["ceil(N / WG)", "ceil(M / workgroup[1])"]
constants = { M = 13, N = 10, K = 7, WG = 8, ROWS = 4 }
[buffers]
lhs = "M, K"
rhs = "K, N"
c = { shape = "M, N", fill = "nan" }
[reference]
operation = "matmul"
`;

const rows = file(
  "rows.wgsl",
  `@group(0) @binding(0) var<storage> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (x[id.x] > 0) { y[id.x] = x[id.x]; }
}
`,
);
const asked = ["-b", "x=100", "-b", "y=100", "--grid", "2", "--reference", "relu", "--runs", "1", "--no-roofs"];

test("accesses out of bounds and elements left out end with exit code 1, each with its place", () => {
  const { status, stdout } = kernel(["run", rows, ...asked]);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^out of bounds: x at line 4, column 7 is read at index 100 of 100 \(28 times/m);
  expect(stdout).toMatch(/^wrong result: \d+ of 100 elements; .* are not written or depend on what was there before/m);
}, 60_000);

test("wrong usage ends with exit code 2, before a device is opened where nothing needs one", () => {
  const refused = (words: string[], message: string) => {
    const { status, stdout, stderr } = kernel(["run", ...words]);
    expect(stderr).toContain(message);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  };
  refused(["nothing.wgsl", ...asked], "nothing.wgsl: no such file");
  refused([folder, ...asked], "cannot be read: EISDIR");
  refused([file("empty.wgsl", " \n"), ...asked], "is empty: there is no kernel in it");
  refused([file("picture.wgsl", "GIF89a\0\0"), ...asked], "is no WGSL: it has bytes that no text has");
  refused([rows, ...asked, "-c", "Q=3"], "constant Q is used neither");
  refused([rows, ...asked, "--reference", "relux"], "reference.operation");
  refused([rows, ...asked, "--fill", "z=1"], "buffers.z.shape");
  refused([rows, ...asked, "--inputs", join(folder, "none.safetensors")], "--inputs: ");
  refused([rows, ...asked, "--dump", join(folder, "none", "d.safetensors")], "there is no folder");
  refused([rows, ...asked, "--svg", join(folder, "a.svg")], "give --sweep");
  refused([rows, ...asked, "--map", "x=z"], 'the kernel has no buffer "z"');
}, 120_000);

test("the command line wins over the description, and kernels of the engine go by name", () => {
  const { source, description } = readTask("softmax/rows", {
    constant: { VECTOR: "false", LOG: "false", WORKGROUP: "8", rows: "5", columns: "7" },
    buffer: { x: "rows, columns", y: "rows, columns" },
    grid: "1",
    reference: "softmax",
    tolerance: 1e-5,
  });
  expect(source).toContain("y[row, j] = e^(x[row, j] − max)");
  expect(description.reference).toEqual({ operation: "softmax", tolerance: 1e-5 });
  const merged = readTask(described, { constant: { M: "99" }, fill: { lhs: "index" }, grid: "3" }).description;
  expect(merged.constants).toMatchObject({ M: "99", K: 7 });
  expect(merged.buffers["lhs"]).toEqual({ shape: "M, K", fill: "index" });
  expect(merged.grid).toBe("3");
});

test("a description that is not of the form says where", () => {
  expect(() => readDescription(file("bad.json", '{\n  "grid": ]'))).toThrow("bad.json:2:11: not JSON");
  expect(() => readDescription(file("bad.toml", "grid = "))).toThrow(/bad\.toml: /);
  expect(() => readTask(wgsl, {})).toThrow(
    /command line does not describe[\s\S]*buffers: missing; .*--buffer[\s\S]*grid: missing; .*--grid/,
  );
  const wrong = () =>
    parseDescription({ buffers: {}, grid: "1", reference: { operation: "matmull" }, gird: 1 }, "x.json");
  expect(wrong).toThrow(/reference\.operation: [\s\S]*gird/);
  expect(() => readTask("conv/nothing", {})).toThrow();
});

test("a heat map takes the fastest over further constants and leaves wrong points out", () => {
  const run = (ms: number) => ({
    milliseconds: { median: ms, spread: 0, least: ms, most: ms, runs: 1 },
    GBps: 1,
    gflops: null,
  });
  const at = (A: number, B: number, C: number, ms?: number) =>
    judged({ point: { A, B, C }, ...(ms ? { run: run(ms) as never } : { failure: "no" }) } as never, undefined);
  const results = [
    at(1, 1, 1, 4),
    at(1, 1, 2, 2),
    at(1, 2, 1, 8),
    at(1, 2, 2),
    at(2, 1, 1),
    at(2, 1, 2),
    at(2, 2, 1, 16),
  ];
  const report: Report = { file: "k", machine: "m", swept: ["A", "B", "C"], results };
  expect(heatOf(report).cells).toEqual([
    [2, 8],
    [undefined, 16],
  ]);
  expect(sweepText(report)).toMatch(/1 +██ 2\.00 \* +▒▒ 8\.00\n +2 +- +░░ 16\.0/);
  expect(sweepText(report)).toContain("4 of 7 points are right");
});

test("list and show", () => {
  const list = JSON.parse(kernel(["list", "softmax", "--json"]).stdout);
  expect(list.map(({ name }: { name: string }) => name)).toContain("softmax/rows");
  expect(list.find(({ name }: { name: string }) => name === "softmax/rows")).toMatchObject({
    constants: ["VECTOR", "LANES", "WORKGROUP", "LOG"],
    bindings: [
      { name: "x", binding: 0, writable: false, type: "array<Element>" },
      { name: "y", binding: 1, writable: true },
    ],
  });
  const shown = kernel(["show", "elementwise/binary", "--constants", "OP=add,WORKGROUP=64", "--half", "a"]).stdout;
  expect(shown).toContain("@workgroup_size(64)");
  expect(shown).toContain("unpack4x16float(a[i]) + b[i]");
  expect(shown).toContain("// binding 3: params, 4 bytes: count4 u32 at byte 0");
  const part = JSON.parse(kernel(["show", "random/philox", "--json"]).stdout);
  expect(part).toMatchObject({ name: "random/philox", usedBy: ["random/dropout", "random/words"] });
  expect(kernel(["show", "random/philox"]).stdout).toBe(part.wgsl);
  expect(JSON.parse(kernel(["list", "--json"]).stdout).map(({ name }: { name: string }) => name)).not.toContain(
    part.name,
  );
  expect(kernel(["show", "random/philox", "--constants", "N=1"]).stderr).toContain(
    "random/philox is a part of kernels",
  );
  const whole = kernel(["show", "random/words", "--constants", "WORKGROUP=64"]).stdout;
  expect(whole).toContain("fn philox(");
  expect(whole).not.toContain("//#use");
  const unknown = kernel(["show", "softmax/row"]);
  expect(unknown.status).toBe(1);
  expect(unknown.stderr).toContain('no kernel "softmax/row"; did you mean softmax/rows');
});

test("a kernel's parts lie beside its file or are the engine's", () => {
  const parted = file(
    "parted.wgsl",
    `//#use near/times\n//#use number/nan\n${product("times(lhs[id.y * sizes.K + k], rhs[k * sizes.N + id.x])")}`,
  );
  mkdirSync(join(folder, "near"));
  const times = (body: string) => file("near/times.wgsl", `fn times(x: f32, y: f32) -> f32 {\n  return ${body};\n}\n`);
  const words = ["run", parted, "--config", file("parted.toml", toml), "--runs", "1", "--no-roofs"];
  times("select({{FACTOR}}.0 * x * y, 0.0, is_nan(x))");
  const right = kernel([...words, "--constant", "FACTOR=1"]);
  expect(right.stderr).not.toContain("FACTOR");
  expect(right.status).toBe(0);
  times("x * y * z");
  expect(kernel(words).stdout).toMatch(/^near\/times\.wgsl:2:18: .*\n +2 \| {3}return x \* y \* z;$/m);
  rmSync(join(folder, "near"), { recursive: true });
  const missing = kernel(words);
  expect(missing.status).toBe(2);
  expect(missing.stderr).toMatch(
    /parted\.wgsl:1: there is no part "near\/times"; the engine has .*near\/times\.wgsl$/m,
  );
  rmSync(parted);
});
