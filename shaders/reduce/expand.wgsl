// x[outer, a, inner] = factor · y[outer, inner] for every a: the gradient of a sum or mean over an axis.
// y: [outer, inner], x: [outer, axis, inner]
//
// One invocation makes one element of x. WORKGROUP: invocations of a workgroup.
struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.outer * params.axis * params.inner) {
    return;
  }
  let line = index / params.inner;
  let inner = index - line * params.inner;
  x[index] = params.factor * y[(line / params.axis) * params.inner + inner];
}
