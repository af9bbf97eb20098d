// Luma y = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of a picture. x: [count, 3], y: [count].
// One invocation makes one element of y. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index < params.count) {
    y[index] = 0.299 * x[3u * index] + 0.587 * x[3u * index + 1u] + 0.114 * x[3u * index + 2u];
  }
}
