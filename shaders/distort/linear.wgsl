// y = factor·x + shift, clipped to [0, 1]. Four samples at a time; one invocation makes one vec4. WORKGROUP: invocations of a
// workgroup.
struct Params {
  count4: u32,
  factor: f32,
  shift: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index < params.count4) {
    y[index] = clamp(params.factor * x[index] + params.shift, vec4f(0.0), vec4f(1.0));
  }
}
