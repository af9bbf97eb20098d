// drows[i] = dy[0] · weights[i] / divisor
//
// One invocation makes one element. WORKGROUP: invocations of a workgroup.
// Layouts: weights, drows [count], dy [1].
struct Params {
  count: u32,
  divisor: f32,
}

@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> drows: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i < params.count) {
    drows[i] = dy[0] * weights[i] / params.divisor;
  }
}
