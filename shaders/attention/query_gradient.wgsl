// dq_i = scale · Σ_j ds_ij k_j    ds_ij = p_ij (dy_i·v_j − delta_i)    p_ij = e^(scale · q_i·k_j − log_sums_i)
//
// One invocation makes one query row of one head and walks all keys; p is computed again, not stored.
// Workgroup (block of queries; head; batch entry). BROADCAST, LANES, ROW_LANES, GROUPS and the layouts of q, k and v are
// those of forward.wgsl; dq lies like q, at the same stride and offset.
// Layouts: dy [batch, queries, heads, row], log_sums and delta as log_sums there.
//#if BROADCAST
enable subgroups;
//#end

struct Params {
  queries: u32,
  keys: u32,
  heads: u32,
  q_stride: u32,
  q_offset: u32,
  key_stride: u32,
  k_offset: u32,
  v_offset: u32,
  sums_stride: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> log_sums: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

const LANES = {{LANES}}u;
const ROW_LANES = {{ROW_LANES}}u;
const WIDTH = {{GROUPS}}u * ROW_LANES;

@compute @workgroup_size({{LANES}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  let query = group.x * LANES + lane;
  let row = min(query, params.queries - 1u);
  let q_row = (batch * params.queries + row) * params.q_stride + params.q_offset + head * WIDTH;
  let dy_row = ((batch * params.queries + row) * params.heads + head) * WIDTH;
  let number = batch * params.sums_stride + head * params.queries + row;
  let log_sum = log_sums[number];
  let shift = delta[number];
  //#for g in 0..GROUPS
  //#for l in 0..ROW_LANES
  let q_{{g}}_{{l}} = params.scale * q[q_row + {{g}}u * ROW_LANES + {{l}}u];
  let dy_{{g}}_{{l}} = dy[dy_row + {{g}}u * ROW_LANES + {{l}}u];
  var sum_{{g}}_{{l}} = vec4f();
  //#end
  //#end
  //#if BROADCAST
  let first = batch * params.keys * params.key_stride + head * WIDTH + lane;
  //#else
  let first = batch * params.keys * params.key_stride + head * WIDTH;
  //#end

  for (var j = 0u; j < params.keys; j++) {
    let at = first + j * params.key_stride;
    var score = vec4f();
    var slope = vec4f();
    //#for g in 0..GROUPS
    let k_{{g}} = k[at + params.k_offset + {{g}}u * ROW_LANES];
    let v_{{g}} = v[at + params.v_offset + {{g}}u * ROW_LANES];
    //#for l in 0..ROW_LANES
    //#if BROADCAST
    let k_{{g}}_{{l}} = subgroupBroadcast(k_{{g}}, {{l}}u);
    score = fma(q_{{g}}_{{l}}, k_{{g}}_{{l}}, score);
    slope = fma(dy_{{g}}_{{l}}, subgroupBroadcast(v_{{g}}, {{l}}u), slope);
    //#else
    score = fma(q_{{g}}_{{l}}, k_{{g}}, score);
    slope = fma(dy_{{g}}_{{l}}, v_{{g}}, slope);
    //#end
    //#end
    //#end
    let ds = exp(dot(score, vec4f(1)) - log_sum) * (dot(slope, vec4f(1)) - shift);
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    //#if BROADCAST
    sum_{{g}}_{{l}} = fma(vec4f(ds), k_{{g}}_{{l}}, sum_{{g}}_{{l}});
    //#else
    sum_{{g}}_{{l}} = fma(vec4f(ds), k_{{g}}, sum_{{g}}_{{l}});
    //#end
    //#end
    //#end
  }

  if (query < params.queries) {
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    dq[q_row + {{g}}u * ROW_LANES + {{l}}u] = params.scale * sum_{{g}}_{{l}};
    //#end
    //#end
  }
}
