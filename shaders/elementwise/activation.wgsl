// y[i] = f(x[i]) for every element, four at a time. With GRADIENT: y[i] = dy[i] · f′(x[i]). What elementwise/unary is, for
// functions by e^x − 1 and ln(1 + x). NaN stays NaN; at ±∞ every f and f′ has its limit.
//
//   erf             erf x                                                2/√π · e^(−x²)
//   exp_minus_one   e^x − 1                                              e^x
//   log_plus_one    ln(1 + x), −∞ at −1, NaN below                       1/(1 + x)
//   elu             factor · x above 0, factor · alpha · (e^(rate·x) − 1) below        factor, factor · alpha · rate · e^(rate·x)
//   softplus        ln(1 + e^(beta·x)) / beta                            σ(beta · x)
//   softsign        x / (1 + |x|)                                        1 / (1 + |x|)²
//   mish            x · tanh(ln(1 + e^x))                                t + x · (1 − t²) · σ(x), t that tanh
//
// One invocation makes one vec4. OP: one of the names above.   GRADIENT: see above.   WORKGROUP: invocations of a workgroup.
//#use number/kept
//#use number/error_function
//#use number/near_one

struct Params {
  count4: u32,
  //#if OP == elu
  alpha: f32,
  rate: f32,
  factor: f32,
  //#end
  //#if OP == softplus
  beta: f32,
  //#end
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
  //#if OP == erf
  //#if GRADIENT
  // e^(−9.4²) is no normal number.
  let held = min(abs(v), vec4f(9.4));
  y[i] = kept(select(dy[i] * (1.1283792 * exp(-held * held)), vec4f(), abs(v) > vec4f(9.3)), v);
  //#else
  y[i] = kept(error_function(v), v);
  //#end
  //#end
  //#if OP == exp_minus_one
  //#if GRADIENT
  y[i] = kept(dy[i] * exp(v), v);
  //#else
  y[i] = kept(exp_minus_one(v), v);
  //#end
  //#end
  //#if OP == log_plus_one
  //#if GRADIENT
  y[i] = dy[i] / (1.0 + v);
  //#else
  // WGSL leaves open what the logarithm of 0 and of a negative number is.
  let zero = params.count4 >> 31u;
  let undefined_value = bitcast<f32>(0x7fc00000u | zero);
  let lowest = bitcast<f32>(0xff800000u | zero);
  let infinite = bitcast<f32>(0x7f800000u | zero);
  let inside = select(log_plus_one(v), vec4f(infinite), v > vec4f(3.4028234e38));
  y[i] = kept(select(select(vec4f(undefined_value), vec4f(lowest), v == vec4f(-1.0)), inside, v > vec4f(-1.0)), v);
  //#end
  //#end
  //#if OP == elu
  // As in PyTorch, the slope at NaN is that above.
  let above = (v > vec4f()) | is_nan4(v);
  let power = params.rate * min(v, vec4f());
  //#if GRADIENT
  let slope = params.alpha * params.rate * exp(max(power, vec4f(-88.0)));
  y[i] = dy[i] * params.factor * select(select(slope, vec4f(), power < vec4f(-87.0)), vec4f(1.0), above);
  //#else
  y[i] = kept(params.factor * select(params.alpha * exp_minus_one(max(power, vec4f(-88.0))), v, above), v);
  //#end
  //#end
  //#if OP == softplus
  let u = params.beta * v;
  let tail = exp(-min(abs(u), vec4f(88.0)));
  //#if GRADIENT
  // e^−88 is no normal number.
  let slope = select(tail, vec4f(1.0), u >= vec4f()) / (1.0 + tail);
  y[i] = kept(dy[i] * select(slope, vec4f(), u < vec4f(-87.0)), v);
  //#else
  let rest = select(log_plus_one(tail), vec4f(), abs(u) > vec4f(87.0));
  y[i] = kept(max(v, vec4f()) + rest / params.beta, v);
  //#end
  //#end
  //#if OP == softsign
  let size = min(abs(v), vec4f(1e18));
  //#if GRADIENT
  y[i] = kept(dy[i] / ((1.0 + size) * (1.0 + size)) * select(vec4f(1.0), vec4f(), abs(v) > vec4f(1e18)), v);
  //#else
  y[i] = kept(sign(v) * (size / (1.0 + size)), v);
  //#end
  //#end
  //#if OP == mish
  // With n = e^x · (e^x + 2), tanh(ln(1 + e^x)) = n/(n + 2) and 1 − tanh² = 4 (n + 1)/(n + 2)². From 20 on it is 1.
  let e = exp(clamp(v, vec4f(-87.0), vec4f(20.0)));
  let n = e * (e + 2.0);
  let t = n / (n + 2.0);
  // e^−87 is nearly no normal number.
  let beyond = v < vec4f(-87.0);
  //#if GRADIENT
  let curve = 4.0 * (n + 1.0) / ((n + 2.0) * (n + 2.0)) * (e / (1.0 + e));
  let slope = select(t + clamp(v, vec4f(-87.0), vec4f(20.0)) * curve, vec4f(1.0), v > vec4f(20.0));
  y[i] = kept(select(dy[i] * slope, vec4f(), beyond), v);
  //#else
  y[i] = kept(select(v * select(t, vec4f(1.0), v > vec4f(20.0)), vec4f(), beyond), v);
  //#end
  //#end
}
