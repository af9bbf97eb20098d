import { describe, expect, test } from "bun:test";
import { specialise } from "../../../engine/kernel/source.ts";
import { expand, TemplateError } from "../../../engine/kernel/template.ts";

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
