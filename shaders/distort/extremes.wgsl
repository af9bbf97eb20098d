// y[g] = (least, largest) of the samples 64·WORKGROUP·g … 64·WORKGROUP·(g + 1) of x. x: [count], y: [workgroups, 2].
//
// WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec2f>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> least: array<f32, {{WORKGROUP}}>;
var<workgroup> largest: array<f32, {{WORKGROUP}}>;

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let part = group.x + group.y * groups.x;
  let start = part * (64u * {{WORKGROUP}}u);
  // Invocations beyond the end look at the last sample.
  var low = x[min(start + local.x, params.count - 1u)];
  var high = low;
  for (var i = 1u; i < 64u; i++) {
    let value = x[min(start + local.x + i * {{WORKGROUP}}u, params.count - 1u)];
    low = min(low, value);
    high = max(high, value);
  }
  least[local.x] = low;
  largest[local.x] = high;
  workgroupBarrier();
  if (local.x == 0u && start < params.count) {
    for (var i = 1u; i < {{WORKGROUP}}u; i++) {
      low = min(low, least[i]);
      high = max(high, largest[i]);
    }
    y[part] = vec2f(low, high);
  }
}
