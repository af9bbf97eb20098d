// y[outer, first_part + part, inner] = Σ x[outer, a, inner] over the elements a of the part, in order: by runs, then the runs,
// so that few additions lie between an element and the sum and rounding stays small.
// x: [outer, axis, inner], y: [outer, all_parts, inner]; part p covers a = p·part_length … below (p + 1)·part_length.
//
// One invocation makes one element of y.   VECTOR: true when an element is a vec4 (inner counts vec4s), false for scalars.
// WORKGROUP: invocations of a workgroup.
//#use number/element

const RUN = 16u;

struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
  parts: u32,
  part_length: u32,
  first_part: u32,
  all_parts: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.outer * params.parts * params.inner) {
    return;
  }
  let line = index / params.inner;
  let inner = index - line * params.inner;
  let outer = line / params.parts;
  let part = line - outer * params.parts;
  let end = min((part + 1u) * params.part_length, params.axis);
  var sum = Element();
  for (var first = part * params.part_length; first < end; first += RUN) {
    var run = Element();
    for (var a = first; a < min(first + RUN, end); a++) {
      run += x[(outer * params.axis + a) * params.inner + inner];
    }
    sum += run;
  }
  y[(outer * params.all_parts + params.first_part + part) * params.inner + inner] = sum;
}
