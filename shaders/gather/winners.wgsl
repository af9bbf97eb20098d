// winners[i] = targets[i] where i is the last of those with this target, else 2^32 − 1. order[starts[v]] … order[starts[v + 1] − 1]
// are the places of v, ascending, from gather/order.wgsl.   targets, winners: [count]
//
// One invocation looks at one place. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  rows: u32,
}

@group(0) @binding(0) var<storage, read> targets: array<u32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> winners: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count) {
    return;
  }
  let v = targets[i];
  var winner = 0xffffffffu;
  if (v < params.rows) {
    winner = select(winner, v, order[starts[v + 1u] - 1u] == i);
  }
  winners[i] = winner;
}
