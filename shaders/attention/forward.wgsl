// y_i = Σ_j e^(s_ij − m_i) v_j / Σ_j e^(s_ij − m_i)    s_ij = scale · q_i·k_j + bias_ij    m_i = max_j s_ij
// log_sums_i = m_i + ln Σ_j e^(s_ij − m_i)
//
// One invocation makes ROWS query rows of one head: it walks the keys with a running maximum and sum, so that
// the matrix of s is never stored (Dao et al. 2022). Workgroup (block of queries; head; batch entry).
// SOURCE says how the rows of keys and values come to all invocations of a workgroup, and changes no bit:
//   subgroup   the workgroup is one subgroup; lane l loads vec4s l, l + ROW_LANES, … of a row and broadcasts them
//   workgroup  all invocations bring TILE rows into workgroup memory
//   storage    every invocation loads every row; the address is the same for all
//
// LANES: invocations; the adapter's subgroup size with subgroup.   ROWS: 1, 2.   TILE: rows in workgroup memory, else 0.
// GROUPS · ROW_LANES: vec4s of a row of one head, up to 64; ROW_LANES is at most LANES with subgroup, else 1.
// BOUND: of loops over a row: params.width, or WIDTH for compilers that shall unroll them. Where they are unrolled, the
// compilers of software adapters need ten times as long.
// BIAS: a bias is added to the scores; what it takes to −3e38 or below is not seen.   CAUSAL: query i sees the keys up to i alone.
// HIDES: BIAS or CAUSAL. A query that sees nothing has a row of zeros.
// Head h of q looks at head h / share of k and v.
// Layouts, in vec4s: row t of head h of q starts at (batch · queries + t) · q_stride + q_offset + h · GROUPS · ROW_LANES;
// k and v alike with keys, key_stride, k_offset, v_offset and h / share. bias_ij lies at number batch · bias_batch + h · bias_head +
// i · bias_query + j. y [batch, queries, heads, row], log_sums [batch, sums_stride],
// of which [heads, queries] are used.
//#if SOURCE == subgroup
enable subgroups;
//#end

//#use number/exponential

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
  width: u32, // GROUPS · ROW_LANES
  share: u32,
  //#if BIAS
  bias_batch: u32,
  bias_head: u32,
  bias_query: u32,
  //#end
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> log_sums: array<f32>;
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

const LANES = {{LANES}}u;
const ROW_LANES = {{ROW_LANES}}u;
const WIDTH = {{GROUPS}}u * ROW_LANES;
const LOWEST = -3e38;

//#if SOURCE == workgroup
var<workgroup> k_tile: array<vec4f, {{TILE}}u * WIDTH>;
var<workgroup> v_tile: array<vec4f, {{TILE}}u * WIDTH>;
//#end

@compute @workgroup_size({{LANES}})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  let key_head = head / params.share;
  //#for r in 0..ROWS
  let query_{{r}} = (group.x * {{ROWS}}u + {{r}}u) * LANES + lane;
  let token_{{r}} = batch * params.queries + min(query_{{r}}, params.queries - 1u);
  let q_row_{{r}} = token_{{r}} * params.q_stride + params.q_offset + head * WIDTH;
  //#if BIAS
  let bias_row_{{r}} = batch * params.bias_batch + head * params.bias_head + min(query_{{r}}, params.queries - 1u) * params.bias_query;
  //#end
  var largest_{{r}} = LOWEST;
  var total_{{r}} = 0.0;
  var q_{{r}}: array<vec4f, WIDTH>;
  var sum_{{r}}: array<vec4f, WIDTH>;
  for (var c = 0u; c < {{BOUND}}; c++) {
    q_{{r}}[c] = params.scale * q[q_row_{{r}} + c];
    sum_{{r}}[c] = vec4f();
  }
  //#end
  let first_key = batch * params.keys;

  //#if CAUSAL
  let end = min(params.keys, (group.x + 1u) * {{ROWS}}u * LANES);
  //#else
  let end = params.keys;
  //#end
  for (var j = 0u; j < end; j++) {
    //#if SOURCE == workgroup
    if (j % {{TILE}}u == 0u) {
      workgroupBarrier();
      for (var i = lane; i < {{TILE}}u * WIDTH; i += LANES) {
        let row = i / WIDTH;
        let at = (first_key + min(j + row, params.keys - 1u)) * params.key_stride + key_head * WIDTH + i - row * WIDTH;
        k_tile[i] = k[at + params.k_offset];
        v_tile[i] = v[at + params.v_offset];
      }
      workgroupBarrier();
    }
    let at = (j % {{TILE}}u) * WIDTH;
    //#else
    let k_at = (first_key + j) * params.key_stride + params.k_offset + key_head * WIDTH;
    let v_at = (first_key + j) * params.key_stride + params.v_offset + key_head * WIDTH;
    //#if SOURCE == storage
    var k_held: array<vec4f, WIDTH>;
    var v_held: array<vec4f, WIDTH>;
    for (var i = 0u; i < {{BOUND}}; i++) {
      k_held[i] = k[k_at + i];
      v_held[i] = v[v_at + i];
    }
    //#else
    //#for g in 0..GROUPS
    let k_{{g}} = k[k_at + {{g}}u * ROW_LANES + lane % ROW_LANES];
    let v_{{g}} = v[v_at + {{g}}u * ROW_LANES + lane % ROW_LANES];
    //#end
    //#end
    //#end
    //#for r in 0..ROWS
    var product_{{r}} = vec4f();
    //#end
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    {
      //#if SOURCE == subgroup
      let numbers = subgroupBroadcast(k_{{g}}, {{l}}u);
      //#end
      //#if SOURCE == workgroup
      let numbers = k_tile[at + {{g}}u];
      //#end
      //#if SOURCE == storage
      let numbers = k_held[{{g}}];
      //#end
      //#for r in 0..ROWS
      product_{{r}} = fma(q_{{r}}[{{g}}u * ROW_LANES + {{l}}u], numbers, product_{{r}});
      //#end
    }
    //#end
    //#end
    //#for r in 0..ROWS
    //#if HIDES
    var score_{{r}} = dot(product_{{r}}, vec4f(1));
    //#if BIAS
    score_{{r}} += bias[bias_row_{{r}} + j];
    //#end
    //#if CAUSAL
    score_{{r}} = select(LOWEST, score_{{r}}, j <= query_{{r}});
    //#end
    let hidden_{{r}} = score_{{r}} <= LOWEST && !is_nan(score_{{r}});
    score_{{r}} = select(score_{{r}}, LOWEST, hidden_{{r}});
    //#else
    let score_{{r}} = dot(product_{{r}}, vec4f(1));
    //#end
    let next_{{r}} = max(largest_{{r}}, score_{{r}});
    let shrink_{{r}} = exp(largest_{{r}} - next_{{r}});
    //#if HIDES
    let weight_{{r}} = select(exponential(score_{{r}} - next_{{r}}), 0.0, hidden_{{r}});
    //#else
    let weight_{{r}} = exponential(score_{{r}} - next_{{r}});
    //#end
    largest_{{r}} = next_{{r}};
    total_{{r}} = fma(total_{{r}}, shrink_{{r}}, weight_{{r}});
    //#end
    //#for g in 0..GROUPS
    //#for l in 0..ROW_LANES
    {
      //#if SOURCE == subgroup
      let numbers = subgroupBroadcast(v_{{g}}, {{l}}u);
      //#end
      //#if SOURCE == workgroup
      let numbers = v_tile[at + {{g}}u];
      //#end
      //#if SOURCE == storage
      let numbers = v_held[{{g}}];
      //#end
      //#for r in 0..ROWS
      {
        let at = {{g}}u * ROW_LANES + {{l}}u;
        sum_{{r}}[at] = fma(vec4f(weight_{{r}}), numbers, shrink_{{r}} * sum_{{r}}[at]);
      }
      //#end
    }
    //#end
    //#end
  }

  //#for r in 0..ROWS
  if (query_{{r}} < params.queries) {
    let y_row = ((batch * params.queries + query_{{r}}) * params.heads + head) * WIDTH;
    //#if HIDES
    let inverse = select(1.0 / total_{{r}}, 0.0, total_{{r}} == 0.0);
    //#else
    let inverse = 1.0 / total_{{r}};
    //#end
    for (var c = 0u; c < {{BOUND}}; c++) {
      y[y_row + c] = inverse * sum_{{r}}[c];
    }
    let log_sum = largest_{{r}} + select(log(total_{{r}}), total_{{r}}, is_nan(total_{{r}}));
    let sum_at = batch * params.sums_stride + head * params.queries + query_{{r}};
    //#if HIDES
    log_sums[sum_at] = select(log_sum, 0.0, total_{{r}} == 0.0);
    //#else
    log_sums[sum_at] = log_sum;
    //#end
  }
  //#end
}
