// y[o, j, i] = x[o, places[j], i]; zeros where the place is `length` or above.
// x: [outer, length, inner], places: [count], y: [outer, count, inner]
//
// Elements are moved as bits, so that it serves every data type. One invocation makes one element of y. ELEMENT: u32 or f16, or
// vec4u or vec4h when inner counts whole vec4s.   WORKGROUP: invocations of a workgroup.
struct Params {
  outer: u32,
  length: u32,
  count: u32,
  inner: u32,
}

alias Element = {{ELEMENT}};

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.outer * params.count * params.inner) {
    return;
  }
  let line = index / params.inner;
  let i = index - line * params.inner;
  let o = line / params.count;
  let place = places[line - o * params.count];
  if (place < params.length) {
    y[index] = x[(o * params.length + place) * params.inner + i];
  } else {
    y[index] = Element();
  }
}
