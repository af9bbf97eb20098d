// dq_i = scale · Σ_j ds_ij k_j    dk_j = scale · Σ_i ds_ij q_i    dv_j = Σ_i p_ij dy_i
// ds_ij = p_ij (dy_i·v_j − delta_i)    p_ij = e^(scale · q_i·k_j + bias_ij − log_sums_i)
//
// p is computed again, not stored. With OWN == queries an invocation makes dq of ROWS queries and walks the keys, with
// OWN == keys it makes dk and dv of ROWS keys and walks the queries, in order. Both are, for rows (a, b) of its own
// and the rows (c, d) that it walks,
//   da = scale · Σ p (b·d − delta) c    db = Σ p d    p = e^(scale · a·c − log_sum)
// with (a, b; c, d) = (q, dy; k, v) or (k, v; q, dy). Workgroup (block of own rows; head; batch entry).
// With OWN == keys a head of the keys walks the queries of all `share` heads that look at it, one after the other.
// SOURCE, LANES, ROWS, TILE, GROUPS, ROW_LANES, BOUND, BIAS, CAUSAL, HIDES: as in forward.wgsl.
// FUSED: with keys, da and db are parts of one tensor, da.
// Layouts, in vec4s: row t of head h of a starts at (batch · own + t) · a_stride + a_offset + h · GROUPS · ROW_LANES, b
// alike, c and d with walked; da lies like a and db like b. log_sums, delta [batch, sums_stride], of which
// [heads, queries] are used.
//#if SOURCE == subgroup
enable subgroups;
//#end

//#use number/exponential

struct Params {
  own: u32,
  walked: u32,
  a_stride: u32,
  a_offset: u32,
  b_stride: u32,
  b_offset: u32,
  c_stride: u32,
  c_offset: u32,
  d_stride: u32,
  d_offset: u32,
  sums_stride: u32,
  width: u32, // GROUPS · ROW_LANES
  share: u32,
  //#if BIAS
  bias_batch: u32,
  bias_head: u32,
  bias_query: u32,
  //#end
  scale: f32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read> c: array<vec4f>;
@group(0) @binding(3) var<storage, read> d: array<vec4f>;
@group(0) @binding(4) var<storage, read> log_sums: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> da: array<vec4f>;
//#if OWN == keys
//#if !FUSED
@group(0) @binding(7) var<storage, read_write> db: array<vec4f>;
//#end
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

const LANES = {{LANES}}u;
const ROW_LANES = {{ROW_LANES}}u;
const WIDTH = {{GROUPS}}u * ROW_LANES;
const LOWEST = -3e38;

//#if SOURCE == workgroup
var<workgroup> c_tile: array<vec4f, {{TILE}}u * WIDTH>;
var<workgroup> d_tile: array<vec4f, {{TILE}}u * WIDTH>;
//#end

@compute @workgroup_size({{LANES}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  //#if OWN == queries
  let first_number = batch * params.sums_stride + head * params.own;
  //#end
  //#for r in 0..ROWS
  let own_{{r}} = (group.x * {{ROWS}}u + {{r}}u) * LANES + lane;
  let row_{{r}} = min(own_{{r}}, params.own - 1u);
  let a_row_{{r}} = (batch * params.own + row_{{r}}) * params.a_stride + params.a_offset + head * WIDTH;
  let b_row_{{r}} = (batch * params.own + row_{{r}}) * params.b_stride + params.b_offset + head * WIDTH;
  //#if OWN == queries
  let log_sum_{{r}} = log_sums[first_number + row_{{r}}];
  let shift_{{r}} = delta[first_number + row_{{r}}];
  //#end
  var a_{{r}}: array<vec4f, WIDTH>;
  var b_{{r}}: array<vec4f, WIDTH>;
  var da_{{r}}: array<vec4f, WIDTH>;
  //#if OWN == keys
  var db_{{r}}: array<vec4f, WIDTH>;
  //#end
  for (var i = 0u; i < {{BOUND}}; i++) {
    a_{{r}}[i] = params.scale * a[a_row_{{r}} + i];
    b_{{r}}[i] = b[b_row_{{r}} + i];
    da_{{r}}[i] = vec4f();
    //#if OWN == keys
    db_{{r}}[i] = vec4f();
    //#end
  }
  //#end
  let first_row = batch * params.walked;

  //#if OWN == queries
  let walked_head = head / params.share;
  //#else
  for (var shared_by = 0u; shared_by < params.share; shared_by++) {
  let walked_head = head * params.share + shared_by;
  let first_number = batch * params.sums_stride + walked_head * params.walked;
  //#end
  var start = 0u;
  var end = params.walked;
  //#if CAUSAL
  //#if OWN == queries
  end = min(end, (group.x + 1u) * {{ROWS}}u * LANES);
  //#else
  start = group.x * {{ROWS}}u * LANES;
  //#end
  //#end
  for (var j = start; j < end; j++) {
    //#if SOURCE == workgroup
    if (j % {{TILE}}u == 0u) {
      workgroupBarrier();
      for (var i = lane; i < {{TILE}}u * WIDTH; i += LANES) {
        let tile_row = i / WIDTH;
        let row = first_row + min(j + tile_row, params.walked - 1u);
        let at = walked_head * WIDTH + i - tile_row * WIDTH;
        c_tile[i] = c[row * params.c_stride + params.c_offset + at];
        d_tile[i] = d[row * params.d_stride + params.d_offset + at];
      }
      workgroupBarrier();
    }
    let at = (j % {{TILE}}u) * WIDTH;
    //#else
    let c_at = (first_row + j) * params.c_stride + params.c_offset + walked_head * WIDTH;
    let d_at = (first_row + j) * params.d_stride + params.d_offset + walked_head * WIDTH;
    //#if SOURCE == storage
    var c_held: array<vec4f, WIDTH>;
    var d_held: array<vec4f, WIDTH>;
    for (var i = 0u; i < {{BOUND}}; i++) {
      c_held[i] = c[c_at + i];
      d_held[i] = d[d_at + i];
    }
    //#else
    //#for g in 0..GROUPS
    let c_{{g}} = c[c_at + {{g}}u * ROW_LANES + lane % ROW_LANES];
    let d_{{g}} = d[d_at + {{g}}u * ROW_LANES + lane % ROW_LANES];
    //#end
    //#end
    //#end
    //#for r in 0..ROWS
    var score_{{r}} = vec4f();
    var slope_{{r}} = vec4f();
    //#end
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    {
      //#if SOURCE == subgroup
      let c_row = subgroupBroadcast(c_{{g}}, {{l}}u);
      //#end
      //#if SOURCE == workgroup
      let c_row = c_tile[at + {{g}}u];
      //#end
      //#if SOURCE == storage
      let c_row = c_held[{{g}}];
      //#end
      //#if SOURCE == subgroup
      let d_row = subgroupBroadcast(d_{{g}}, {{l}}u);
      //#end
      //#if SOURCE == workgroup
      let d_row = d_tile[at + {{g}}u];
      //#end
      //#if SOURCE == storage
      let d_row = d_held[{{g}}];
      //#end
      //#for r in 0..ROWS
      score_{{r}} = fma(a_{{r}}[{{g}}u * ROW_LANES + {{l}}u], c_row, score_{{r}});
      slope_{{r}} = fma(b_{{r}}[{{g}}u * ROW_LANES + {{l}}u], d_row, slope_{{r}});
      //#end
    }
    //#end
    //#end
    //#if OWN == keys
    let log_sum = log_sums[first_number + j];
    let shift = delta[first_number + j];
    //#end
    //#for r in 0..ROWS
    //#if HIDES
    var seen_{{r}} = dot(score_{{r}}, vec4f(1));
    //#if BIAS
    //#if OWN == queries
    seen_{{r}} += bias[batch * params.bias_batch + head * params.bias_head + row_{{r}} * params.bias_query + j];
    //#else
    seen_{{r}} += bias[batch * params.bias_batch + walked_head * params.bias_head + j * params.bias_query + row_{{r}}];
    //#end
    //#end
    //#if CAUSAL
    //#if OWN == queries
    seen_{{r}} = select(LOWEST, seen_{{r}}, j <= row_{{r}});
    //#else
    seen_{{r}} = select(LOWEST, seen_{{r}}, row_{{r}} <= j);
    //#end
    //#end
    let hidden_{{r}} = seen_{{r}} <= LOWEST && !is_nan(seen_{{r}});
    //#if OWN == queries
    let p_{{r}} = select(exponential(seen_{{r}} - log_sum_{{r}}), 0.0, hidden_{{r}});
    let ds_{{r}} = select(p_{{r}} * (dot(slope_{{r}}, vec4f(1)) - shift_{{r}}), 0.0, hidden_{{r}});
    //#else
    let p_{{r}} = select(exponential(seen_{{r}} - log_sum), 0.0, hidden_{{r}});
    let ds_{{r}} = select(p_{{r}} * (dot(slope_{{r}}, vec4f(1)) - shift), 0.0, hidden_{{r}});
    //#end
    //#else
    //#if OWN == queries
    let p_{{r}} = exponential(dot(score_{{r}}, vec4f(1)) - log_sum_{{r}});
    let ds_{{r}} = p_{{r}} * (dot(slope_{{r}}, vec4f(1)) - shift_{{r}});
    //#else
    let p_{{r}} = exponential(dot(score_{{r}}, vec4f(1)) - log_sum);
    let ds_{{r}} = p_{{r}} * (dot(slope_{{r}}, vec4f(1)) - shift);
    //#end
    //#end
    //#end
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    {
      //#if SOURCE == subgroup
      let c_row = subgroupBroadcast(c_{{g}}, {{l}}u);
      //#end
      //#if SOURCE == workgroup
      let c_row = c_tile[at + {{g}}u];
      //#end
      //#if SOURCE == storage
      let c_row = c_held[{{g}}];
      //#end
      //#if OWN == keys
      //#if SOURCE == subgroup
      let d_row = subgroupBroadcast(d_{{g}}, {{l}}u);
      //#end
      //#if SOURCE == workgroup
      let d_row = d_tile[at + {{g}}u];
      //#end
      //#if SOURCE == storage
      let d_row = d_held[{{g}}];
      //#end
      //#end
      //#for r in 0..ROWS
      da_{{r}}[{{g}}u * ROW_LANES + {{l}}u] = fma(vec4f(ds_{{r}}), c_row, da_{{r}}[{{g}}u * ROW_LANES + {{l}}u]);
      //#if OWN == keys
      db_{{r}}[{{g}}u * ROW_LANES + {{l}}u] = fma(vec4f(p_{{r}}), d_row, db_{{r}}[{{g}}u * ROW_LANES + {{l}}u]);
      //#end
      //#end
    }
    //#end
    //#end
  }
  //#if OWN == keys
  }
  //#end

  //#for r in 0..ROWS
  if (own_{{r}} < params.own) {
    for (var i = 0u; i < {{BOUND}}; i++) {
      da[a_row_{{r}} + i] = params.scale * da_{{r}}[i];
      //#if OWN == keys
      //#if FUSED
      da[b_row_{{r}} + i] = db_{{r}}[i];
      //#else
      db[b_row_{{r}} + i] = db_{{r}}[i];
      //#end
      //#end
    }
  }
  //#end
}
