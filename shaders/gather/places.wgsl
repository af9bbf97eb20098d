// places[e] = Σ_d i_d · stride_d + Σ_k at_k · step_k for the coordinates i of e in RANK axes of extent0 (the last), extent1, …,
// and at_k = indices[(Σ_d i_d · index_stride_d) · DEPTH + k]. An index from 2^32 − limit_k on counts from the end; where one is
// outside 0 … limit_k − 1 otherwise, the place is 2^32 − 1, which is beyond everything.
//
// One invocation makes one place. RANK: 1..8.   DEPTH: 1..6.   WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  //#for d in 0..RANK
  extent{{d}}: u32,
  stride{{d}}: u32,
  index_stride{{d}}: u32,
  //#end
  //#for k in 0..DEPTH
  limit{{k}}: u32,
  step{{k}}: u32,
  //#end
}

@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read_write> places: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (e >= params.count) {
    return;
  }
  var rest = e;
  var place = 0u;
  var index_at = 0u;
  //#for d in 0..RANK
  {
    let outer = rest / params.extent{{d}};
    let i = rest - outer * params.extent{{d}};
    place += i * params.stride{{d}};
    index_at += i * params.index_stride{{d}};
    rest = outer;
  }
  //#end
  var inside = true;
  //#for k in 0..DEPTH
  {
    let given = indices[index_at * {{DEPTH}}u + {{k}}u];
    let at = select(given, given + params.limit{{k}}, given >= params.limit{{k}});
    inside = inside && at < params.limit{{k}};
    place += at * params.step{{k}};
  }
  //#end
  places[e] = select(0xffffffffu, place, inside);
}
