// dx[outer, a, inner] = dy[outer, inner] · Π x[outer, b, inner] over b ≠ a: the gradient of a product over an axis.
// x, dx, before: [outer, axis, inner], dy: [outer, inner]
//
// One invocation makes a line along the axis: on its way there it keeps in `before` the products of what lies in front of each
// element, on its way back it multiplies with what lies behind. WORKGROUP: invocations of a workgroup.
struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> before: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let line = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (line >= params.outer * params.inner) {
    return;
  }
  let outer = line / params.inner;
  let start = outer * params.axis * params.inner + (line - outer * params.inner);
  var product = 1.0;
  for (var a = 0u; a < params.axis; a++) {
    let i = start + a * params.inner;
    before[i] = product;
    product *= x[i];
  }
  product = dy[line];
  for (var a = params.axis; a > 0u; a--) {
    let i = start + (a - 1u) * params.inner;
    dx[i] = before[i] * product;
    product *= x[i];
  }
}
