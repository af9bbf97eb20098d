// y[i] = f(x[i]) for every element, four at a time.
//   abs: |x|      clamp: min(max(x, low), high)      signed_sqrt: sign(x) · √(|x| + low)
// With GRADIENT: y[i] = dy[i] · f′(x[i]), where
//   abs: sign(x)      clamp: 1 for low ≤ x ≤ high, else 0      signed_sqrt: 1 / (2 √(|x| + low)), 0 at x = 0
//
// One invocation makes one vec4. OP: one of the names above.   GRADIENT: see above.   WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  low: f32,
  high: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
//#if GRADIENT
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let v = x[i];
  //#if OP == abs
  //#if GRADIENT
  y[i] = dy[i] * sign(v);
  //#else
  y[i] = abs(v);
  //#end
  //#end
  //#if OP == clamp
  //#if GRADIENT
  y[i] = select(vec4f(), dy[i], (v >= vec4f(params.low)) & (v <= vec4f(params.high)));
  //#else
  // Compilers may take it that no float is NaN: what a number is, is read from its bits.
  let is_nan = (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  y[i] = select(clamp(v, vec4f(params.low), vec4f(params.high)), v, is_nan);
  //#end
  //#end
  //#if OP == signed_sqrt
  let root = sqrt(abs(v) + params.low);
  //#if GRADIENT
  y[i] = select(0.5 * dy[i] / root, vec4f(), v == vec4f());
  //#else
  y[i] = sign(v) * root;
  //#end
  //#end
}
