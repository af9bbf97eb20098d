// sum[i] += x[i] for every element, four at a time. One invocation makes one vec4. WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
}

@group(0) @binding(0) var<storage, read_write> sum: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i < params.count4) {
    sum[i] += x[i];
  }
}
