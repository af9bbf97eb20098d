import { describe, expect, test } from "bun:test";
import { withHalfStorage, withTextures } from "../../../engine/kernel/storage.ts";
import { TemplateError } from "../../../engine/kernel/template.ts";

const kernel = (type: string, body: string) =>
  `alias Element = ${type};\n@group(0) @binding(0) var<storage, read> x: array<Element>; // x[i]\n` +
  `@group(0) @binding(1) var<storage, read_write> y: array<${type}>;\nfn main() {\n${body}\n}`;

const body = (wgsl: string) => wgsl.split("fn main() {\n")[1]!.split("\n}")[0]!;

describe("f16 storage of a kernel written for f32", () => {
  test("declares, widens and narrows", () => {
    const half = withHalfStorage(kernel("f32", "y[i] = 2.0 * x[i + 1u];"), ["x", "y"]);
    expect(half).toStartWith("enable f16;");
    expect(half).toContain("x: array<f16>");
    expect(half).toContain("y: array<f16>");
    expect(body(half)).toBe("y[i] = f16(2.0 * f32(x[i + 1u]));");
  });

  test.each([
    ["y[i] += x[i];", "y[i] = f16(f32(y[i]) + (f32(x[i])));"],
    ["if (y[i] == x[i]) {}", "if (f32(y[i]) == f32(x[i])) {}"],
    ["if (y[i] >= x[i]) {}", "if (f32(y[i]) >= f32(x[i])) {}"],
    ["y[u32(x[i])] = x[u32(y[i])];", "y[u32(f32(x[i]))] = f16(f32(x[u32(f32(y[i]))]));"],
    ["y[a[i]] = select(\n  0.0,\n  x[i],\n  c);", "y[a[i]] = f16(select(\n  0.0,\n  f32(x[i]),\n  c));"],
  ])("%s", (before, after) => {
    expect(body(withHalfStorage(kernel("f32", before), ["x", "y"]))).toBe(after);
  });

  test("leaves variables alone that stay f32", () => {
    expect(body(withHalfStorage(kernel("f32", "y[i] = x[i];"), ["x"]))).toBe("y[i] = f32(x[i]);");
    expect(withHalfStorage(kernel("f32", "y[i] = x[i];"), [])).toBe(kernel("f32", "y[i] = x[i];"));
  });

  test("packs vectors into words", () => {
    const half = withHalfStorage(kernel("vec4f", "y[i] = x[i].yxwz;"), ["x", "y"]);
    expect(half).toContain("array<vec2u>");
    expect(body(half)).toBe("y[i] = pack4x16float(unpack4x16float(x[i]).yxwz);");
  });

  test("leaves what already moves halves", () => {
    expect(body(withHalfStorage(kernel("vec4h", "y[i] = x[i];"), ["x", "y"]))).toBe("y[i] = x[i];");
  });

  test("refuses whole numbers and unknown variables", () => {
    expect(() => withHalfStorage(kernel("u32", "y[i] = x[i];"), ["x"], "file.wgsl")).toThrow(TemplateError);
    expect(() => withHalfStorage(kernel("u32", "y[i] = x[i];"), ["x"], "file.wgsl")).toThrow('"x" holds u32');
    expect(() => withHalfStorage(kernel("f32", ""), ["z"], "file.wgsl")).toThrow('"z" holds no array');
  });
});

describe("storage variables read from textures", () => {
  test("declares a texture and fetches texels where elements were read", () => {
    const wgsl = withTextures(
      "@group(0) @binding(0) var<storage, read> x: array<vec4f>;\n@group(0) @binding(1) var<storage, read> of_x: array<u32>;\nlet a = x[of_x[i] + 1u].y;",
      ["x"],
    );
    expect(wgsl).toContain("@group(0) @binding(0) var x: texture_2d<u32>;");
    expect(wgsl).toContain("let a = texel_x(of_x[i] + 1u).y;");
    expect(wgsl).toContain("bitcast<vec4f>(textureLoad(x, vec2u(index % 1024u, index / 1024u), 0))");
  });

  test("refuses what is written, single numbers and unknown variables", () => {
    for (const [type, name] of [
      ["storage, read_write> x: array<vec4f>", "x"],
      ["storage, read> x: array<f32>", "x"],
      ["storage, read> x: array<vec4f>", "z"],
    ] as const)
      expect(() => withTextures(`var<${type};`, [name], "file.wgsl")).toThrow(
        new TemplateError(`file.wgsl: "${name}" is not of vec4f that are only read`),
      );
  });
});
