import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type FormulaInput, formula } from "./check.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "acutance-recipe-"));
afterAll(() => rmSync(copy, { recursive: true }));

/** The blocks of code of "An operation from start to end", by their language, in order. */
function recipe(): Readonly<Record<string, string[]>> {
  const readme = readFileSync(join(root, "engine/README.md"), "utf8");
  const section = /^## An operation from start to end\n(.*?)^##/ms.exec(readme)![1]!;
  const blocks: Record<string, string[]> = {};
  for (const [, indent, language, code] of section.matchAll(/^( *)```(\w+)\n(.*?)^ *```/gms)) {
    blocks[language!] = [...(blocks[language!] ?? []), code!.replaceAll(new RegExp(`^${indent}`, "gm"), "")];
  }
  return blocks;
}

/** Puts text before the one place in a file of the copy that the pattern finds. */
function insert(path: string, before: RegExp, text: string): void {
  const file = join(copy, path);
  const source = readFileSync(file, "utf8");
  const places = [...source.matchAll(before)];
  expect([path, places.length]).toEqual([path, 1]);
  writeFileSync(file, source.slice(0, places[0]!.index) + text + source.slice(places[0]!.index));
}

/** y = ln σ(x) and σ(x) in float64. */
const logSigmoid = (x: number) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
const logistic = (x: number) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));

/** What `add("logSigmoid", {}, [given], F.logsigmoid)` writes, by the formula. */
function golden(given: FormulaInput) {
  const x = [...formula(given)];
  const dy = formula({ shape: [...given.shape], seed: 99 });
  const gradients = [x.map((v, i) => dy[i]! * logistic(-v))];
  return {
    operation: "logSigmoid",
    options: {},
    inputs: [given],
    shape: given.shape,
    output: x.map(logSigmoid),
    gradients,
  };
}

/** And special.py: NaN, infinities and the largest number in the first, the middle and the last element of x. */
function special() {
  const given = { shape: [3, 5], seed: 1, scale: 2 };
  const { output, gradients } = golden(given);
  const [at, dy] = [[0, 7, 14], formula({ shape: [3, 5], seed: 99 })];
  const changed = (value: (i: number) => string) => output.map((_, i) => (at.includes(i) ? value(i) : ".")).join(" ");
  const place = (name: string, y: string, dx: (i: number) => string) => ({
    special: name,
    target: 0,
    at,
    results: [changed(() => y), changed(dx)],
  });
  const cases = [
    place("NaN", "n", () => "n"),
    place("−∞", "-", (i) => dy[i]!.toPrecision(6)),
    place("largest", "0", (i) => (dy[i]! < 0 ? "-0" : "0")),
    place("∞", "0", (i) => (dy[i]! < 0 ? "-0" : "0")),
  ];
  const ordinary = [output, gradients[0]!].map((numbers) => numbers.map((x) => x.toPrecision(6)).join(" "));
  return { operation: "logSigmoid", options: {}, inputs: [given], ordinary, cases };
}

function addRows(path: string, rows: readonly object[]): void {
  const file = join(copy, path);
  writeFileSync(file, JSON.stringify([...JSON.parse(readFileSync(file, "utf8")), ...rows]));
}

// Under other runtimes the runner of tests is another; the engine is the same.
test.skipIf(process.versions["bun"] === undefined)(
  "the recipe for an operation makes one that passes the tests that the recipe names",
  () => {
    for (const path of ["engine", "shaders", "test/engine", "test/golden"])
      cpSync(join(root, path), join(copy, path), { recursive: true });
    for (const path of ["node_modules", "package.json", "tsconfig.json"])
      symlinkSync(join(root, path), join(copy, path));
    const { wgsl, ts, py } = recipe();
    expect([wgsl!.length, ts!.length, py!.length]).toEqual([2, 3, 2]);
    const [comment, kernel] = wgsl!;
    const [row, operation, line] = ts!;
    insert("shaders/elementwise/unary.wgsl", /^\/\/\n\/\/ One invocation/gm, comment!);
    insert("shaders/elementwise/unary.wgsl", /^\}\s*$(?![\s\S])/gm, kernel!);
    insert("engine/ops/unary.ts", /^\} as const satisfies/gm, row!);
    insert("engine/ops/unary.ts", /$(?![\s\S])/g, operation!);
    insert("engine/portable.ts", /^\} from "\.\/ops\/unary\.ts";/gm, line!);
    // The two lines of Python stand for values of PyTorch, which not every machine has: these are those of the formula.
    expect(py!.join("")).toMatch(/^add\("logSigmoid", .*\)\n"logSigmoid": .*,\n$/);
    const shapes = [[1], [7], [3, 5], [2, 3, 4, 5], [1301]];
    addRows(
      "test/golden/extended.json",
      shapes.map((shape) => golden({ shape, seed: 1, scale: 4.5 })),
    );
    addRows("test/golden/special.json", [special()]);

    const files = ["ops/extended.test.ts", "ops/special.test.ts", "refused.test.ts"];
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        ...["test", ...files.map((file) => join(copy, "test/engine", file)), "--timeout", "120000"],
        ...["-t", "logSigmoid|every operation that the engine exports|every export that takes tensors"],
      ],
      { cwd: copy, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
    );
    expect(stderr.match(/^\(fail\).*$/gm) ?? []).toEqual([]);
    expect(status).toBe(0);
    const passed = stderr.match(/^\(pass\) .*logSigmoid.*$/gm) ?? [];
    // Values on two devices, differences, special values on two devices and as f16, operands taken and refused.
    expect(passed.length).toBe(2 * shapes.length + 1 + 3 + 2);
  },
  120_000,
);
