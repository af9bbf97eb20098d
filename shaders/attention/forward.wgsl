// y_i = Σ_j e^(s_ij − m_i) v_j / Σ_j e^(s_ij − m_i)    s_ij = scale · q_i·k_j    m_i = max_j s_ij
// log_sums_i = m_i + ln Σ_j e^(s_ij − m_i)
//
// One invocation makes one query row of one head: it walks the keys with a running maximum and sum, so that
// the matrix of s is never stored (Dao et al. 2022). Workgroup (block of queries; head; batch entry).
// With BROADCAST the workgroup is one subgroup: each lane loads a part of a key or value row and broadcasts it. Without,
// every invocation loads every row; the address is the same for all.
//
// LANES: invocations; the adapter's subgroup size with BROADCAST.   ROW_LANES: LANES with BROADCAST, else 1.
// GROUPS: vec4s of a row / ROW_LANES; a row of one head has up to 32 vec4s.
// Layouts, in vec4s: row t of head h of q starts at (batch · queries + t) · q_stride + q_offset + h · GROUPS · ROW_LANES;
// k and v alike with keys, key_stride, k_offset and v_offset. y [batch, queries, heads, row], log_sums [batch, sums_stride],
// of which [heads, queries] are used.
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
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> log_sums: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

const LANES = {{LANES}}u;
const ROW_LANES = {{ROW_LANES}}u;
const WIDTH = {{GROUPS}}u * ROW_LANES;
const LOWEST = -3e38;

@compute @workgroup_size({{LANES}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  let query = group.x * LANES + lane;
  let row = min(query, params.queries - 1u);
  let q_row = (batch * params.queries + row) * params.q_stride + params.q_offset + head * WIDTH;
  //#for g in 0..GROUPS
  //#for l in 0..ROW_LANES
  let q_{{g}}_{{l}} = params.scale * q[q_row + {{g}}u * ROW_LANES + {{l}}u];
  var sum_{{g}}_{{l}} = vec4f();
  //#end
  //#end
  var largest = LOWEST;
  var total = 0.0;
  //#if BROADCAST
  let first = batch * params.keys * params.key_stride + head * WIDTH + lane;
  //#else
  let first = batch * params.keys * params.key_stride + head * WIDTH;
  //#end

  for (var j = 0u; j < params.keys; j++) {
    let at = first + j * params.key_stride;
    var product = vec4f();
    //#for g in 0..GROUPS
    let k_{{g}} = k[at + params.k_offset + {{g}}u * ROW_LANES];
    let v_{{g}} = v[at + params.v_offset + {{g}}u * ROW_LANES];
    //#for l in 0..ROW_LANES
    //#if BROADCAST
    product = fma(q_{{g}}_{{l}}, subgroupBroadcast(k_{{g}}, {{l}}u), product);
    //#else
    product = fma(q_{{g}}_{{l}}, k_{{g}}, product);
    //#end
    //#end
    //#end
    let score = dot(product, vec4f(1));
    let next = max(largest, score);
    let shrink = exp(largest - next);
    let weight = exp(score - next);
    largest = next;
    total = fma(total, shrink, weight);
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    //#if BROADCAST
    sum_{{g}}_{{l}} = fma(vec4f(weight), subgroupBroadcast(v_{{g}}, {{l}}u), shrink * sum_{{g}}_{{l}});
    //#else
    sum_{{g}}_{{l}} = fma(vec4f(weight), v_{{g}}, shrink * sum_{{g}}_{{l}});
    //#end
    //#end
    //#end
  }

  if (query < params.queries) {
    let y_row = ((batch * params.queries + query) * params.heads + head) * WIDTH;
    let inverse = 1.0 / total;
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    y[y_row + {{g}}u * ROW_LANES + {{l}}u] = inverse * sum_{{g}}_{{l}};
    //#end
    //#end
    log_sums[batch * params.sums_stride + head * params.queries + query] = largest + log(total);
  }
}
