import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { catalogueEntry, kernelNames } from "../../../engine/kernel/catalogue.ts";
import { specialise } from "../../../engine/kernel/source.ts";
import { expand, expandLines, type PartText, TemplateError } from "../../../engine/kernel/template.ts";
import { enginePart, kernelText, partIn, shaderNames, wholeText } from "../../../engine/kernel/text.ts";

describe("the template step", () => {
  test("substitutes constants and unrolls nested loops", () => {
    const source = "//#for i in 0..N\n//#for j in 1..3\nlet x_{{i}}_{{j}} = {{SIZE}}u;\n//#end\n//#end";
    expect(expand(source, { N: 2, SIZE: 7 }).split("\n")).toEqual([
      "let x_0_1 = 7u;",
      "let x_0_2 = 7u;",
      "let x_1_1 = 7u;",
      "let x_1_2 = 7u;",
    ]);
  });

  test("keeps one side of a condition", () => {
    const source =
      "//#if A\nyes\n//#else\nno\n//#end\n//#if !A\nnot\n//#end\n//#if OP == relu\nrelu\n//#end\n//#if OP != relu\nother\n//#end";
    expect(expand(source, { A: true, OP: "exp" })).toBe("yes\nother");
    expect(expand(source, { A: false, OP: "relu" })).toBe("no\nnot\nrelu");
  });

  test("an empty loop leaves nothing, whatever stands in it", () => {
    expect(expand("a\n//#for i in 0..N\n//#if B\n{{i}}\n//#else\nx\n//#end\n//#end\nb", { N: 0 })).toBe("a\nb");
  });

  test.each([
    ["{{MISSING}}", {}, "MISSING was not given"],
    ["//#if A\nx", { A: 1 }, "never closed"],
    ["x\n//#end", {}, "without"],
    ["//#while A", { A: 1 }, "unknown directive"],
    ["//#for i to 3\n//#end", {}, "expected"],
    ["//#for i in 0..N\n//#end", { N: 1.5 }, "whole number"],
    ["//#if a and b\n//#end", {}, "cannot read the condition"],
  ])("refuses %j", (source, constants, message) => {
    expect(() => expand(source, constants as Record<string, number>, "file.wgsl")).toThrow(TemplateError);
    expect(() => expand(source, constants as Record<string, number>, "file.wgsl")).toThrow(message);
  });
});

describe("parts", () => {
  const texts: Readonly<Record<string, string>> = {
    "a/one": "// One.\n//#use a/two\nfn one() -> f32 { return two() + {{N}}; }\n",
    "a/two": "//#if N == 3\nfn two() -> f32 { return 3; }\n//#else\nfn two() -> f32 { return 0; }\n//#end\n",
    "a/loop": "//#for i in 0..N\nconst c{{i}} = {{i}};\n//#end",
    "a/open": "fn f() {}\n//#if N\n",
    "a/left": "//#use a/right",
    "a/right": "\n//#use a/left",
    "a/self": "//#use a/self",
    "a/needs": "\nconst m = {{M}};",
  };
  const part: PartText = (name) => {
    const text = texts[name];
    if (text === undefined) throw new TemplateError(`no part ${name}`);
    return text;
  };
  const expanded = (source: string, constants = {}) => expand(source, { N: 3, ...constants }, "k.wgsl", part);

  test("are put in where they are used first, with the same constants, once", () => {
    const source = "//#use a/one\n//#use a/two\nfn main() {}\n//#use a/one";
    expect(expanded(source)).toBe(
      "// One.\nfn two() -> f32 { return 3; }\nfn one() -> f32 { return two() + 3; }\nfn main() {}",
    );
    expect(expanded("//#for i in 0..N\n//#use a/loop\n//#end")).toBe("const c0 = 0;\nconst c1 = 1;\nconst c2 = 2;");
  });

  test("are not put in where the condition does not hold", () => {
    expect(expanded("//#if N == 2\n//#use a/nowhere\n//#use a/one\n//#end\nx")).toBe("x");
    expect(expanded("//#if N == 2\n//#use a/loop\n//#end\n//#use a/loop", { N: 1 })).toBe("const c0 = 0;");
  });

  test("say where each line comes from", () => {
    const lines = expandLines("x\n//#use a/one\n{{N}}", { N: 3 }, "k.wgsl", part);
    expect(lines.map(({ file, line, written }) => [file, line, written])).toEqual([
      ["k.wgsl", 1, "x"],
      ["a/one.wgsl", 1, "// One."],
      ["a/two.wgsl", 2, "fn two() -> f32 { return 3; }"],
      ["a/one.wgsl", 3, "fn one() -> f32 { return two() + {{N}}; }"],
      ["k.wgsl", 3, "{{N}}"],
    ]);
  });

  test.each([
    ["x\n//#use a/nothing", "k.wgsl:2: no part a/nothing"],
    ["//#use", 'k.wgsl:1: expected "//#use family/part", found ""'],
    ["//#use a/one a/two", 'k.wgsl:1: expected "//#use family/part", found "a/one a/two"'],
    ["//#use /etc/passwd", "k.wgsl:1: expected"],
    ["//#use a/self", "a/self.wgsl:1: parts use each other in a circle: a/self → a/self"],
    ["//#use a/left", "a/right.wgsl:2: parts use each other in a circle: a/left → a/right → a/left"],
    ["//#use a/open", "a/open.wgsl:2: block is never closed"],
    ["//#use a/needs", "a/needs.wgsl:2: constant M was not given; given: N"],
  ])("refuse %j", (source, message) => {
    expect(() => expanded(source)).toThrow(TemplateError);
    expect(() => expanded(source)).toThrow(message);
  });

  test("without a place to find them there is none", () => {
    expect(() => expand("//#use a/one", {}, "k.wgsl")).toThrow('k.wgsl:1: there is no part "a/one"');
  });

  test("beside a kernel's file come before the engine's, and a kernel is none", () => {
    const folder = mkdtempSync(join(tmpdir(), "acutance-parts-"));
    try {
      writeFileSync(join(folder, "near.wgsl"), "// here\n");
      writeFileSync(join(folder, "kernel.wgsl"), "@compute @workgroup_size(1) fn main() {}\n");
      writeFileSync(join(folder, "bytes.wgsl"), Buffer.from([0xff, 0xfe, 0x00]));
      const found = partIn(folder);
      expect(found("near")).toBe("// here\n");
      expect(found("random/philox")).toBe(kernelText("random/philox"));
      expect(() => found("kernel")).toThrow('"kernel" has an entry point');
      expect(() => found("bytes")).toThrow('the part "bytes" cannot be read');
      expect(() => found("far")).toThrow(`and there is no ${join(folder, "far.wgsl")}`);
      expect(() => found("conv/tile")).toThrow('"conv/tile" has an entry point');
      expect(() => enginePart("random/philx")).toThrow("random/philox");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("of the engine are no kernels, are used by two at least, and give a kernel its constants", () => {
    const { kernels, parts } = shaderNames();
    expect(kernelNames()).toEqual(kernels);
    expect(parts).toContain("random/philox");
    expect(kernels).not.toContain("random/philox");
    const entries = kernels.map(catalogueEntry);
    // The harness puts that one behind a user's kernel.
    for (const name of parts.filter((part) => part !== "debug/bounds")) {
      expect([name, entries.filter((entry) => entry.parts.includes(name)).length >= 2]).toEqual([name, true]);
    }
    expect(catalogueEntry("norm/gradient")).toMatchObject({ parts: ["number/element"] });
    expect(catalogueEntry("norm/gradient").constants).toContain("VECTOR");
    expect(wholeText("conv/tile")).toContain("fn written_at(row: u32)");
    expect(wholeText("conv/tile")).not.toContain("//#use");
    expect(wholeText("conv/tile")).toContain(kernelText("number/nan"));
  });
});

test("a kernel's bindings, parameters and workgroup are read from its source", () => {
  const { bindings, parameters, workgroup } = specialise("elementwise/binary", { OP: "add", WORKGROUP: 64 });
  expect(bindings.map(({ name, writable }) => [name, writable])).toEqual([
    ["a", false],
    ["b", false],
    ["y", true],
  ]);
  expect(parameters).toEqual([{ name: "count4", type: "u32" }]);
  expect(workgroup).toEqual([64, 1, 1]);
});
