// average += share · (x − average), an exponential moving average of x with decay 1 − share.
// One invocation updates one vec4. WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  share: f32,
}

@group(0) @binding(0) var<storage, read_write> average: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i < params.count4) {
    average[i] += params.share * (x[i] - average[i]);
  }
}
