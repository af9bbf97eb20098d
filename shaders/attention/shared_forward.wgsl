// The attention of attention/forward.wgsl for adapters on which workgroup memory is fast: same arguments, same order of
// additions, hence the same bits.
//
// One workgroup makes 32 queries of one head and walks the keys, 32 at a time. Of each such block it makes the scores, as a
// matrix product over slices of 8 vec4s of a row; then the running maximum and from it the weights, for all pairs; then adds the
// weighted values, 16 vec4s of a row at a time. Invocation (u, v) of 8 by 16 makes the scores of queries v, v + 16 with keys
// 4u..4u+3, and as (u', v') of 16 by 8 the sums of queries v', v' + 8, … at vec4s u', u' + 16, … While products are added,
// the next slice is on its way. A sum is multiplied only where the maximum has grown: elsewhere that would be by 1.
//
// WIDTH: vec4s of a row of one head, up to 32.   CHUNKS: WIDTH / 8, GROUPS: WIDTH / 16, rounded up.
// EIGHT: 8u, or params.eight where compilers are slow and shall not unroll.
//#use number/nan

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
  eight: u32, // 8, which compilers do not know
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> log_sums: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

const WIDTH = {{WIDTH}}u;
const CHUNKS = {{CHUNKS}}u;
const GROUPS = {{GROUPS}}u;
const LOWEST = -3e38;
// vec4s from one vec4 of the rows of a slice to the next: 32 rows, and one so that they do not meet in a bank.
const ROWS = 33u;

// Slices of q and k, by vec4, then row; or a slice of v, by key, then vec4.
var<workgroup> slice: array<vec4f, 16u * ROWS>;
// Of query i and keys 4m..4m+3 at 8i + m: scores, then weights; the maximum up to each key, then what it shrinks sums by.
var<workgroup> weights: array<vec4f, 256>;
var<workgroup> shrinks: array<vec4f, 256>;
// Of each query the maximum before the block, and bit m where it grows at keys 4m..4m+3.
var<workgroup> before: array<f32, 32>;
var<workgroup> grown: array<atomic<u32>, 32>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query0 = group.x * 32u;
  let head = group.y * WIDTH;
  let first_query = group.z * params.queries;
  let first_key = group.z * params.keys;
  // As one of 8 by 16.
  let u = lane % 8u;
  let v4 = lane / 8u;
  // As one of 16 by 8.
  let column = lane % 16u;
  let row = lane / 16u;
  //#for i in 0..2
  let q_at_{{i}} = (first_query + min(query0 + v4 + {{i}}u * 16u, params.queries - 1u)) * params.q_stride + params.q_offset + head + u;
  //#end
  //#for g in 0..GROUPS
  //#for r in 0..4
  var sum_{{g}}_{{r}} = vec4f();
  //#end
  //#end
  // Of query `lane`, where there is one.
  var largest = LOWEST;
  var total = 0.0;
  //#for i in 0..2
  var next_q_{{i}} = q[q_at_{{i}}];
  var next_k_{{i}} = k[(first_key + min(v4 + {{i}}u * 16u, params.keys - 1u)) * params.key_stride + params.k_offset + head + u];
  //#end

  for (var key0 = 0u; key0 < params.keys; key0 += 32u) {
    //#for i in 0..2
    let k_at_{{i}} = (first_key + min(key0 + v4 + {{i}}u * 16u, params.keys - 1u)) * params.key_stride + params.k_offset + head + u;
    //#end
    //#for i in 0..2
    //#for s in 0..4
    var product_{{i}}_{{s}} = vec4f();
    //#end
    //#end
    //#for r in 0..4
    var next_v_{{r}} = vec4f();
    //#end
    //#for n in 0..CHUNKS
    workgroupBarrier();
    {
      let filled = WIDTH % 8u == 0u || {{n}}u * 8u + u < WIDTH;
      //#for i in 0..2
      slice[u * ROWS + v4 + {{i}}u * 16u] = select(vec4f(), params.scale * next_q_{{i}}, filled);
      // Key 4m + s lies at 8s + m: neighbours in u read neighbours.
      slice[(8u + u) * ROWS + (v4 % 4u) * 8u + v4 / 4u + {{i}}u * 4u] = select(vec4f(), next_k_{{i}}, filled);
      //#end
    }
    workgroupBarrier();
    // Compilers leave loads before products that come in several blocks only where the loads are conditional.
    if ({{n}}u + 1u < CHUNKS) {
      //#for i in 0..2
      next_q_{{i}} = q[q_at_{{i}} + ({{n}}u + 1u) * 8u];
      next_k_{{i}} = k[k_at_{{i}} + ({{n}}u + 1u) * 8u];
      //#end
    } else if (key0 + row < params.keys) {
      //#for r in 0..4
      next_v_{{r}} = v[(first_key + min(key0 + row + {{r}}u * 8u, params.keys - 1u)) * params.key_stride + params.v_offset + head + column];
      //#end
    }
    for (var c = 0u; c < {{EIGHT}}; c++) {
      //#for i in 0..2
      let q_{{i}} = slice[c * ROWS + v4 + {{i}}u * 16u];
      //#end
      //#for s in 0..4
      let k_{{s}} = slice[(8u + c) * ROWS + {{s}}u * 8u + u];
      //#for i in 0..2
      product_{{i}}_{{s}} = fma(q_{{i}}, k_{{s}}, product_{{i}}_{{s}});
      //#end
      //#end
    }
    //#end
    //#for i in 0..2
    let score_{{i}} = vec4f(dot(product_{{i}}_0, vec4f(1)), dot(product_{{i}}_1, vec4f(1)), dot(product_{{i}}_2, vec4f(1)), dot(product_{{i}}_3, vec4f(1)));
    weights[(v4 + {{i}}u * 16u) * 8u + u] = score_{{i}};
    //#end
    workgroupBarrier();
    let left = params.keys - key0;
    if (lane < 32u) {
      before[lane] = largest;
      atomicStore(&grown[lane], 0u);
      for (var m = 0u; m < {{EIGHT}}; m++) {
        let score = weights[lane * 8u + m];
        var maximum = vec4f();
        //#for s in 0..4
        if (m * 4u + {{s}}u < left) {
          largest = max(largest, score[{{s}}]);
        }
        maximum[{{s}}] = largest;
        //#end
        shrinks[lane * 8u + m] = maximum;
      }
    }
    workgroupBarrier();
    //#for i in 0..2
    let at_{{i}} = (v4 + {{i}}u * 16u) * 8u + u;
    let maximum_{{i}} = shrinks[at_{{i}}];
    var earlier_{{i}} = before[v4 + {{i}}u * 16u];
    if (u > 0u) {
      earlier_{{i}} = shrinks[at_{{i}} - 1u].w;
    }
    //#end
    workgroupBarrier();
    //#for i in 0..2
    {
      let there = vec4u(0u, 1u, 2u, 3u) + 4u * u < vec4u(left);
      let shrink = select(vec4f(1), exp(vec4f(earlier_{{i}}, maximum_{{i}}.xyz) - maximum_{{i}}), there);
      let below = score_{{i}} - maximum_{{i}};
      weights[at_{{i}}] = select(vec4f(), select(exp(below), below, is_nan4(below)), there);
      shrinks[at_{{i}}] = shrink;
      if (!all(shrink == vec4f(1))) {
        atomicOr(&grown[v4 + {{i}}u * 16u], 1u << u);
      }
    }
    //#end
    //#for g in 0..GROUPS
    {
      //#for r in 0..4
      let filled_{{r}} = row + {{r}}u * 8u < left;
      slice[(row + {{r}}u * 8u) * 16u + column] = select(vec4f(), next_v_{{r}}, filled_{{r}});
      //#end
      workgroupBarrier();
      if ({{g}}u + 1u < GROUPS) {
        if (key0 + row < params.keys) {
          //#for r in 0..4
          next_v_{{r}} = v[(first_key + min(key0 + row + {{r}}u * 8u, params.keys - 1u)) * params.key_stride + params.v_offset + head + column + ({{g}}u + 1u) * 16u];
          //#end
        }
      } else if (key0 + 32u < params.keys) {
        //#for i in 0..2
        next_q_{{i}} = q[q_at_{{i}}];
        next_k_{{i}} = k[(first_key + min(key0 + 32u + v4 + {{i}}u * 16u, params.keys - 1u)) * params.key_stride + params.k_offset + head + u];
        //#end
      }
      //#if g == 0
      if (lane < 32u) {
        for (var m = 0u; m < {{EIGHT}}; m++) {
          let weight = weights[lane * 8u + m];
          let shrink = shrinks[lane * 8u + m];
          //#for s in 0..4
          total = fma(total, shrink[{{s}}], weight[{{s}}]);
          //#end
        }
      }
      //#end
      var growing = 0u;
      //#for r in 0..4
      growing |= atomicLoad(&grown[row + {{r}}u * 8u]);
      //#end
      for (var m = 0u; m < {{EIGHT}}; m++) {
        //#for s in 0..4
        let v_{{s}} = slice[(4u * m + {{s}}u) * 16u + column];
        //#end
        //#for r in 0..4
        let weight_{{r}} = weights[(row + {{r}}u * 8u) * 8u + m];
        //#end
        if (((growing >> m) & 1u) != 0u) {
          //#for r in 0..4
          {
            let shrink = shrinks[(row + {{r}}u * 8u) * 8u + m];
            //#for s in 0..4
            sum_{{g}}_{{r}} = fma(vec4f(weight_{{r}}[{{s}}]), v_{{s}}, shrink[{{s}}] * sum_{{g}}_{{r}});
            //#end
          }
          //#end
        } else {
          //#for r in 0..4
          //#for s in 0..4
          sum_{{g}}_{{r}} = fma(vec4f(weight_{{r}}[{{s}}]), v_{{s}}, sum_{{g}}_{{r}});
          //#end
          //#end
        }
      }
      if ({{g}}u + 1u < GROUPS) {
        workgroupBarrier();
      }
    }
    //#end
  }

  if (lane < 32u) {
    before[lane] = 1.0 / total;
    if (query0 + lane < params.queries) {
      log_sums[group.z * params.sums_stride + group.y * params.queries + query0 + lane] = largest + select(log(total), total, is_nan(total));
    }
  }
  workgroupBarrier();
  //#for r in 0..4
  {
    let query = query0 + row + {{r}}u * 8u;
    let inverse = before[row + {{r}}u * 8u];
    //#for g in 0..GROUPS
    if (query < params.queries && {{g}}u * 16u + column < WIDTH) {
      y[((first_query + query) * params.heads) * WIDTH + head + {{g}}u * 16u + column] = inverse * sum_{{g}}_{{r}};
    }
    //#end
  }
  //#end
}
