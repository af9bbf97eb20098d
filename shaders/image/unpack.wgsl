// y[i] = bytes[i] / 255, four bytes of a word at a time, the lowest first
//
// One invocation makes one vec4 from one word. WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
}

@group(0) @binding(0) var<storage, read> bytes: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i < params.count4) {
    y[i] = unpack4x8unorm(bytes[i]);
  }
}
