// y[i] = Σ_part x[part, i], the parts added in order.   x: [parts, 4·count4], y: [4·count4]
//
// One invocation makes one vec4. WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  parts: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  var sum = vec4f();
  for (var part = 0u; part < params.parts; part++) {
    sum += x[part * params.count4 + i];
  }
  y[i] = sum;
}
