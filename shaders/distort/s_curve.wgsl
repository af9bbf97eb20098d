// y = 1/2 + slope·t + bend·t³ with t = x − 1/2, clipped to [0, 1]. Four samples at a time; one invocation makes one vec4.
// WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  slope: f32,
  bend: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index < params.count4) {
    let t = x[index] - 0.5;
    y[index] = clamp(0.5 + t * (params.slope + params.bend * t * t), vec4f(0.0), vec4f(1.0));
  }
}
