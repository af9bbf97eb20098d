// p = r + factor · p.   p, r: [rows, 4·columns4], factor: [4·columns4], count4 = rows · columns4
//
// One invocation makes one vec4. WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  columns4: u32,
}

@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read> r: array<vec4f>;
@group(0) @binding(2) var<storage, read> factor: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  p[i] = r[i] + factor[i % params.columns4] * p[i];
}
