// dv_j = Σ_i p_ij dy_i    dk_j = scale · Σ_i ds_ij q_i    ds_ij = p_ij (dy_i·v_j − delta_i)
// p_ij = e^(scale · q_i·k_j − log_sums_i)
//
// One invocation makes the rows of one key of one head and walks all queries, in order; p is computed again, not stored.
// Workgroup (block of keys; head; batch entry). BROADCAST, LANES, ROW_LANES, GROUPS and the layouts of q, k and v are
// those of forward.wgsl, with queries and keys in each other's place.
// FUSED: q, k and v are parts of one tensor, and so are their gradients, dqkv; otherwise dk and dv lie like k and v.
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
//#if FUSED
@group(0) @binding(6) var<storage, read_write> dqkv: array<vec4f>;
//#else
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

const LANES = {{LANES}}u;
const ROW_LANES = {{ROW_LANES}}u;
const WIDTH = {{GROUPS}}u * ROW_LANES;

@compute @workgroup_size({{LANES}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  let key = group.x * LANES + lane;
  let row = (batch * params.keys + min(key, params.keys - 1u)) * params.key_stride + head * WIDTH;
  let k_row = row + params.k_offset;
  let v_row = row + params.v_offset;
  //#for g in 0..GROUPS
  //#for l in 0..ROW_LANES
  let k_{{g}}_{{l}} = params.scale * k[k_row + {{g}}u * ROW_LANES + {{l}}u];
  let v_{{g}}_{{l}} = v[v_row + {{g}}u * ROW_LANES + {{l}}u];
  var dk_{{g}}_{{l}} = vec4f();
  var dv_{{g}}_{{l}} = vec4f();
  //#end
  //#end
  //#if BROADCAST
  let part = lane;
  //#else
  let part = 0u;
  //#end
  let first_number = batch * params.sums_stride + head * params.queries;

  for (var i = 0u; i < params.queries; i++) {
    let token = batch * params.queries + i;
    let q_row = token * params.q_stride + params.q_offset + head * WIDTH + part;
    let dy_row = (token * params.heads + head) * WIDTH + part;
    var score = vec4f();
    var slope = vec4f();
    //#for g in 0..GROUPS
    let q_{{g}} = q[q_row + {{g}}u * ROW_LANES];
    let dy_{{g}} = dy[dy_row + {{g}}u * ROW_LANES];
    //#for l in 0..ROW_LANES
    //#if BROADCAST
    let q_{{g}}_{{l}} = subgroupBroadcast(q_{{g}}, {{l}}u);
    let dy_{{g}}_{{l}} = subgroupBroadcast(dy_{{g}}, {{l}}u);
    //#else
    let q_{{g}}_{{l}} = q_{{g}};
    let dy_{{g}}_{{l}} = dy_{{g}};
    //#end
    score = fma(k_{{g}}_{{l}}, q_{{g}}_{{l}}, score);
    slope = fma(v_{{g}}_{{l}}, dy_{{g}}_{{l}}, slope);
    //#end
    //#end
    let p = exp(dot(score, vec4f(1)) - log_sums[first_number + i]);
    let ds = p * (dot(slope, vec4f(1)) - delta[first_number + i]);
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    dk_{{g}}_{{l}} = fma(vec4f(ds), q_{{g}}_{{l}}, dk_{{g}}_{{l}});
    dv_{{g}}_{{l}} = fma(vec4f(p), dy_{{g}}_{{l}}, dv_{{g}}_{{l}});
    //#end
    //#end
  }

  if (key < params.keys) {
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    {
      let at = {{g}}u * ROW_LANES + {{l}}u;
      //#if FUSED
      dqkv[k_row + at] = params.scale * dk_{{g}}_{{l}};
      dqkv[v_row + at] = dv_{{g}}_{{l}};
      //#else
      dk[k_row + at] = params.scale * dk_{{g}}_{{l}};
      dv[v_row + at] = dv_{{g}}_{{l}};
      //#end
    }
    //#end
    //#end
  }
}
