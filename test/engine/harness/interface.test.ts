import { expect, test } from "bun:test";
import { readInterface } from "../../../engine/harness/interface.ts";

test("bindings, uniform layout, overrides and entry points of plain WGSL", () => {
  const found = readInterface(
    `
    // @group(0) @binding(7) var<storage> commented: array<f32>;
    /* @group(0) @binding(8) var<storage> out: array<f32>; /* nested */ */
    alias Row = vec4<f32>;
    @id(3) override WG: u32 = 64;
    override FAST: bool;
    struct P { n: u32, scale: f32, size: vec2<u32>, origin: vec3f, last: i32, }
    @binding(1) @group(0) var<storage> x: array<Row>;
    @group(0) @binding(0) var<storage, read_write> hist: array<atomic<u32>, 16>;
    @group(2) @binding(0) var<storage, read> h: array<vec4<f16>>;
    @group(1) @binding(4) var<uniform> p: P;
    @compute @workgroup_size(WG, 2u) fn first() {}
    @workgroup_size(8)
    @compute fn second() {}
    fn helper() {}`,
    "k.wgsl",
  );
  expect(found.storage).toEqual([
    { name: "x", group: 0, binding: 1, writable: false, type: "array<Row>", scalar: "f32", single: false },
    { name: "hist", group: 0, binding: 0, writable: true, type: "array<atomic<u32>, 16>", scalar: "u32", single: true },
    { name: "h", group: 2, binding: 0, writable: false, type: "array<vec4<f16>>", scalar: "f16", single: false },
  ]);
  // WGSL, "Alignment and size": n 0, scale 4, size 8, origin 16, last 28.
  expect(found.uniform).toMatchObject({ name: "p", group: 1, binding: 4, sizeBytes: 32 });
  expect(found.uniform!.fields.map(({ name, offsetBytes }) => [name, offsetBytes])).toEqual([
    ["n", 0],
    ["scale", 4],
    ["size", 8],
    ["origin", 16],
    ["last", 28],
  ]);
  expect([...found.overrides]).toEqual([
    ["WG", "64"],
    ["FAST", undefined],
  ]);
  expect(found.entryPoints).toEqual([
    { name: "first", workgroup: ["WG", "2"] },
    { name: "second", workgroup: ["8"] },
  ]);
});

test("what cannot be filled is refused by name", () => {
  const buffer = "@group(0) @binding(0) var<storage> x: array<f32>;";
  expect(() => readInterface("fn main() {}", "k.wgsl")).toThrow("k.wgsl: no storage buffer");
  expect(() => readInterface("@group(0) @binding(B) var<storage> x: array<f32>;", "k.wgsl")).toThrow(
    "x has no @binding(number)",
  );
  expect(() =>
    readInterface(`${buffer} struct P { m: mat4x4f } @group(1) @binding(0) var<uniform> p: P;`, "k.wgsl"),
  ).toThrow("the uniform's m is mat4x4f");
});
