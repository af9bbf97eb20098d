// y = values[b], b the level of x among 256: round(255·x), kept to 0 … 255. x, y: [count], values: [256].
//
// One invocation makes one sample. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index < params.count) {
    y[index] = values[u32(clamp(255.0 * x[index] + 0.5, 0.0, 255.0))];
  }
}
