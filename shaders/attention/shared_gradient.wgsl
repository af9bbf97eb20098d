// The gradient of attention/gradient.wgsl for adapters on which workgroup memory is fast: same arguments, same order of
// additions, hence the same bits.
//
// One workgroup makes 32 rows of its own of one head and walks the others, 32 at a time. Of each such block it makes a·c and b·d
// of all pairs, as matrix products over slices of 8 vec4s of a row; from them p and ds; then adds p d and ds c, 16 vec4s of a row
// at a time. Invocation (u, v) of 8 by 16 makes the pairs of own rows v, v + 16 with walked rows 4u..4u+3, and as (u', v') of
// 16 by 8 the sums of own rows v', v' + 8, … at vec4s u', u' + 16, … While products are added, the next slice is on its way.
//
// OWN, FUSED: as there.   WIDTH: vec4s of a row of one head, up to 32.   CHUNKS: WIDTH / 8, GROUPS: WIDTH / 16, rounded up.
// EIGHT: as in shared_forward.wgsl.   SIDES: 1 with queries, 2 with keys.
//#use number/nan

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
  eight: u32, // 8, which compilers do not know
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
@group(1) @binding(0) var<uniform> params: Params;

const WIDTH = {{WIDTH}}u;
const CHUNKS = {{CHUNKS}}u;
const GROUPS = {{GROUPS}}u;
// vec4s from one vec4 of the rows of a slice to the next: 32 rows, and one so that they do not meet in a bank.
const ROWS = 33u;

// Slices of own and walked rows, by vec4, then row; or a slice of walked rows, by row, then vec4.
var<workgroup> slice: array<vec4f, 16u * ROWS>;
// ds and p of own row i and walked rows 4m..4m+3 at 8i + m.
var<workgroup> slopes: array<vec4f, 256>;
//#if OWN == keys
var<workgroup> weights: array<vec4f, 256>;
//#end

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let own0 = group.x * 32u;
  let head = group.y * WIDTH;
  let first_own = group.z * params.own;
  let first_walked = group.z * params.walked;
  // As one of 8 by 16.
  let u = lane % 8u;
  let v = lane / 8u;
  // As one of 16 by 8.
  let column = lane % 16u;
  let row = lane / 16u;
  //#if OWN == queries
  let first_number = group.z * params.sums_stride + group.y * params.own;
  //#else
  let first_number = group.z * params.sums_stride + group.y * params.walked;
  //#end
  //#for i in 0..2
  let own_{{i}} = min(own0 + v + {{i}}u * 16u, params.own - 1u);
  let a_at_{{i}} = (first_own + own_{{i}}) * params.a_stride + params.a_offset + head + u;
  let b_at_{{i}} = (first_own + own_{{i}}) * params.b_stride + params.b_offset + head + u;
  //#if OWN == queries
  let log_sum_{{i}} = vec4f(log_sums[first_number + own_{{i}}]);
  let shift_{{i}} = vec4f(delta[first_number + own_{{i}}]);
  //#end
  //#end
  //#for g in 0..GROUPS
  //#for r in 0..4
  var da_{{g}}_{{r}} = vec4f();
  //#if OWN == keys
  var db_{{g}}_{{r}} = vec4f();
  //#end
  //#end
  //#end
  //#for i in 0..2
  var next_own_{{i}} = a[a_at_{{i}}];
  var next_walked_{{i}} = c[(first_walked + min(v + {{i}}u * 16u, params.walked - 1u)) * params.c_stride + params.c_offset + head + u];
  //#end

  for (var walked0 = 0u; walked0 < params.walked; walked0 += 32u) {
    let left = params.walked - walked0;
    let there = vec4u(0u, 1u, 2u, 3u) + 4u * u < vec4u(left);
    //#for i in 0..2
    let walked_{{i}} = first_walked + min(walked0 + v + {{i}}u * 16u, params.walked - 1u);
    let c_at_{{i}} = walked_{{i}} * params.c_stride + params.c_offset + head + u;
    let d_at_{{i}} = walked_{{i}} * params.d_stride + params.d_offset + head + u;
    //#for s in 0..4
    var product_0_{{i}}_{{s}} = vec4f();
    var product_1_{{i}}_{{s}} = vec4f();
    //#end
    //#end
    //#if OWN == keys
    var log_sum = vec4f();
    var shift = vec4f();
    //#for s in 0..4
    log_sum[{{s}}] = log_sums[first_number + min(walked0 + 4u * u + {{s}}u, params.walked - 1u)];
    shift[{{s}}] = delta[first_number + min(walked0 + 4u * u + {{s}}u, params.walked - 1u)];
    //#end
    //#end
    //#for r in 0..4
    var next_{{r}} = vec4f();
    //#end
    //#for pass in 0..2
    //#for n in 0..CHUNKS
    workgroupBarrier();
    {
      let filled = WIDTH % 8u == 0u || {{n}}u * 8u + u < WIDTH;
      //#for i in 0..2
      //#if pass == 0
      slice[u * ROWS + v + {{i}}u * 16u] = select(vec4f(), params.scale * next_own_{{i}}, filled);
      //#else
      slice[u * ROWS + v + {{i}}u * 16u] = select(vec4f(), next_own_{{i}}, filled);
      //#end
      // Row 4m + s lies at 8s + m: neighbours in u read neighbours.
      slice[(8u + u) * ROWS + (v % 4u) * 8u + v / 4u + {{i}}u * 4u] = select(vec4f(), next_walked_{{i}}, filled);
      //#end
    }
    workgroupBarrier();
    // Compilers leave loads before products that come in several blocks only where the loads are conditional.
    if ({{n}}u + 1u < CHUNKS) {
      //#for i in 0..2
      //#if pass == 0
      next_own_{{i}} = a[a_at_{{i}} + ({{n}}u + 1u) * 8u];
      next_walked_{{i}} = c[c_at_{{i}} + ({{n}}u + 1u) * 8u];
      //#else
      next_own_{{i}} = b[b_at_{{i}} + ({{n}}u + 1u) * 8u];
      next_walked_{{i}} = d[d_at_{{i}} + ({{n}}u + 1u) * 8u];
      //#end
      //#end
    } else {
      //#if pass == 0
      //#for i in 0..2
      next_own_{{i}} = b[b_at_{{i}}];
      next_walked_{{i}} = d[d_at_{{i}}];
      //#end
      //#else
      if (walked0 + row < params.walked) {
        //#for r in 0..4
        next_{{r}} = c[(first_walked + min(walked0 + row + {{r}}u * 8u, params.walked - 1u)) * params.c_stride + params.c_offset + head + column];
        //#end
      }
      //#end
    }
    for (var e = 0u; e < {{EIGHT}}; e++) {
      //#for i in 0..2
      let own_row_{{i}} = slice[e * ROWS + v + {{i}}u * 16u];
      //#end
      //#for s in 0..4
      let walked_row_{{s}} = slice[(8u + e) * ROWS + {{s}}u * 8u + u];
      //#for i in 0..2
      product_{{pass}}_{{i}}_{{s}} = fma(own_row_{{i}}, walked_row_{{s}}, product_{{pass}}_{{i}}_{{s}});
      //#end
      //#end
    }
    //#end
    //#for i in 0..2
    let sum_{{pass}}_{{i}} = vec4f(dot(product_{{pass}}_{{i}}_0, vec4f(1)), dot(product_{{pass}}_{{i}}_1, vec4f(1)), dot(product_{{pass}}_{{i}}_2, vec4f(1)), dot(product_{{pass}}_{{i}}_3, vec4f(1)));
    //#end
    //#end
    //#for i in 0..2
    {
      let score = sum_0_{{i}};
      let slope = sum_1_{{i}};
      let at = (v + {{i}}u * 16u) * 8u + u;
      //#if OWN == queries
      let below = score - log_sum_{{i}};
      let p = select(exp(below), below, is_nan4(below));
      let ds = p * (slope - shift_{{i}});
      //#else
      let below = score - log_sum;
      let p = select(exp(below), below, is_nan4(below));
      let ds = p * (slope - shift);
      weights[at] = select(vec4f(), p, there);
      //#end
      slopes[at] = select(vec4f(), ds, there);
    }
    //#end
    workgroupBarrier();
    //#for g in 0..GROUPS
    //#for side in 0..SIDES
    {
      //#for r in 0..4
      slice[(row + {{r}}u * 8u) * 16u + column] = select(vec4f(), next_{{r}}, row + {{r}}u * 8u < left);
      //#end
      workgroupBarrier();
      if ({{side}}u + 1u < {{SIDES}}u) {
        if (walked0 + row < params.walked) {
          //#for r in 0..4
          next_{{r}} = d[(first_walked + min(walked0 + row + {{r}}u * 8u, params.walked - 1u)) * params.d_stride + params.d_offset + head + column + {{g}}u * 16u];
          //#end
        }
      } else if ({{g}}u + 1u < GROUPS) {
        if (walked0 + row < params.walked) {
          //#for r in 0..4
          next_{{r}} = c[(first_walked + min(walked0 + row + {{r}}u * 8u, params.walked - 1u)) * params.c_stride + params.c_offset + head + column + ({{g}}u + 1u) * 16u];
          //#end
        }
      } else if (walked0 + 32u < params.walked) {
        //#for i in 0..2
        next_own_{{i}} = a[a_at_{{i}}];
        next_walked_{{i}} = c[(first_walked + min(walked0 + 32u + v + {{i}}u * 16u, params.walked - 1u)) * params.c_stride + params.c_offset + head + u];
        //#end
      }
      for (var m = 0u; m < {{EIGHT}}; m++) {
        //#for s in 0..4
        let walked_row_{{s}} = slice[(4u * m + {{s}}u) * 16u + column];
        //#end
        //#for r in 0..4
        {
          //#if side == 0
          let factor = slopes[(row + {{r}}u * 8u) * 8u + m];
          //#for s in 0..4
          da_{{g}}_{{r}} = fma(vec4f(factor[{{s}}]), walked_row_{{s}}, da_{{g}}_{{r}});
          //#end
          //#else
          let factor = weights[(row + {{r}}u * 8u) * 8u + m];
          //#for s in 0..4
          db_{{g}}_{{r}} = fma(vec4f(factor[{{s}}]), walked_row_{{s}}, db_{{g}}_{{r}});
          //#end
          //#end
        }
        //#end
      }
      workgroupBarrier();
    }
    //#end
    //#end
  }

  //#for r in 0..4
  {
    let own = own0 + row + {{r}}u * 8u;
    let a_row = (first_own + own) * params.a_stride + params.a_offset + head + column;
    let b_row = (first_own + own) * params.b_stride + params.b_offset + head + column;
    //#for g in 0..GROUPS
    if (own < params.own && {{g}}u * 16u + column < WIDTH) {
      da[a_row + {{g}}u * 16u] = params.scale * da_{{g}}_{{r}};
      //#if OWN == keys
      //#if FUSED
      da[b_row + {{g}}u * 16u] = db_{{g}}_{{r}};
      //#else
      db[b_row + {{g}}u * 16u] = db_{{g}}_{{r}};
      //#end
      //#end
    }
    //#end
  }
  //#end
}
