// y[i] = f(x[i]) for every element, four at a time.
//   gelu:      x · Φ(x), Φ(x) = erfc(−x/√2) / 2          gelu_tanh: x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
//   silu:      x · σ(x)      sigmoid: σ(x) = 1/(1 + e^−x)   tanh: tanh x      relu6: min(max(x, 0), 6)
//   hardswish: x · min(max(x + 3, 0), 6) / 6               pow:  x^exponent
// With GRADIENT: y[i] = dy[i] · f′(x[i]). NaN stays NaN; at ±∞ every f and f′ has its limit.
//
// One invocation makes one vec4. OP: one of the names above.   GRADIENT: see above.   WHOLE: the exponent of pow is a whole
// number from −64 to 64, taken by multiplication.   WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  exponent: f32, // of the power that is taken: one less than that of f in its gradient
  factor: f32, // of pow alone: 1, or the exponent of f in its gradient
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
//#if GRADIENT
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

// Compilers may take it that no float is NaN: what a number is, is read from its bits.
fn is_nan(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

// 1/(1 + e^−v). The argument is held where e^−v is finite.
fn logistic(v: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-max(v, vec4f(-87.0))));
}

// tanh v: near 0 its series, elsewhere 1 − 2/(e^2|v| + 1) with the sign of v.
fn hyperbolic_tangent(v: vec4f) -> vec4f {
  let s = v * v;
  let series = v * (1.0 + s * (-0.33333333 + s * (0.13333333 + s * (-0.053968254 + s * 0.021869489))));
  let far = sign(v) * (1.0 - 2.0 / (exp(2.0 * min(abs(v), vec4f(10.0))) + 1.0));
  return select(far, series, abs(v) < vec4f(0.3));
}

// Φ(v), the normal distribution: erfc by the Chebyshev fit of Press et al., Numerical Recipes, "erfcc", of relative error
// 1.2e-7 in exact arithmetic and below 1e-6 in f32.
fn normal_distribution(v: vec4f) -> vec4f {
  let z = min(abs(v) * 0.70710678, vec4f(9.0));
  let t = 1.0 / (1.0 + 0.5 * z);
  var p = vec4f(0.17087277);
  p = p * t - 0.82215223;
  p = p * t + 1.48851587;
  p = p * t - 1.13520398;
  p = p * t + 0.27886807;
  p = p * t - 0.18628806;
  p = p * t + 0.09678418;
  p = p * t + 0.37409196;
  p = p * t + 1.00002368;
  p = p * t - 1.26551223;
  let half_tail = 0.5 * t * exp(p - z * z);
  return select(half_tail, 1.0 - half_tail, v > vec4f());
}

fn power(v: vec4f) -> vec4f {
  //#if WHOLE
  var result = vec4f(1.0);
  var square = v;
  for (var bits = u32(abs(params.exponent)); bits > 0u; bits >>= 1u) {
    if ((bits & 1u) == 1u) {
      result *= square;
    }
    square *= square;
  }
  if (params.exponent < 0.0) {
    result = 1.0 / result;
  }
  return result;
  //#else
  // Numbers above 0 by the logarithm. WGSL leaves open what that of others is, and has no constants for what is meant.
  let zero = params.count4 >> 31u;
  let undefined_value = bitcast<f32>(0x7fc00000u | zero);
  let infinite = bitcast<f32>(0x7f800000u | zero);
  let at_zero = select(0.0, infinite, params.exponent < 0.0);
  let at_infinity = select(infinite, 0.0, params.exponent < 0.0);
  // As in PyTorch, which takes x^½ as √x.
  let at_lowest = select(at_infinity, undefined_value, abs(params.exponent) == 0.5);
  let magnitude = bitcast<vec4u>(v) & vec4u(0x7fffffffu);
  let is_infinite = magnitude == vec4u(0x7f800000u);
  let positive = v > vec4f();
  var result = select(vec4f(undefined_value), exp2(params.exponent * log2(v)), positive & !is_nan(v));
  result = select(result, select(vec4f(at_lowest), vec4f(at_infinity), positive), is_infinite);
  return select(result, vec4f(at_zero), v == vec4f());
  //#end
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let v = x[i];
  //#if GRADIENT
  let slope = dy[i];
  //#end
  //#if OP == gelu
  let below = normal_distribution(v);
  //#if GRADIENT
  // f′ = Φ(x) + x · φ(x), φ(x) = e^(−x²/2) / √2π
  let held = clamp(v, vec4f(-14.0), vec4f(14.0));
  let derivative = below + held * 0.39894228 * exp(-0.5 * min(v * v, vec4f(170.0)));
  let result = slope * select(derivative, vec4f(), v < vec4f(-14.0));
  //#else
  // Φ(−14) is no normal number.
  let result = select(v * below, vec4f(), v < vec4f(-14.0));
  //#end
  //#end
  //#if OP == gelu_tanh
  // e^2u grows as e^(x³): u is held where tanh u is ±1.
  let w = clamp(v, vec4f(-100.0), vec4f(100.0));
  let t = hyperbolic_tangent(0.79788456 * (w + 0.044715 * w * w * w));
  //#if GRADIENT
  // f′ = (1 + t)/2 + x/2 · (1 − t²) · √(2/π) · (1 + 3 · 0.044715 x²)
  let result = slope * (0.5 * (1.0 + t) + 0.5 * w * (1.0 - t * t) * 0.79788456 * (1.0 + 0.134145 * w * w));
  //#else
  let result = select(0.5 * v * (1.0 + t), vec4f(), v < vec4f(-100.0));
  //#end
  //#end
  //#if OP == silu
  let s = logistic(v);
  // e^−88 is no normal number.
  let beyond = v < vec4f(-88.0);
  //#if GRADIENT
  // f′ = σ · (1 + x · (1 − σ))
  let result = slope * select(s, vec4f(), beyond) * (1.0 + clamp(v, vec4f(-88.0), vec4f(88.0)) * (1.0 - s));
  //#else
  let result = select(v * s, vec4f(), beyond);
  //#end
  //#end
  //#if OP == sigmoid
  //#if GRADIENT
  // f′ = σ · (1 − σ) = e^−|x| / (1 + e^−|x|)², without the cancellation of 1 − σ
  let e = exp(-abs(v));
  let result = slope * e / ((1.0 + e) * (1.0 + e));
  //#else
  let result = logistic(v);
  //#end
  //#end
  //#if OP == tanh
  //#if GRADIENT
  // f′ = 1 − tanh² = 4 e^−2|x| / (1 + e^−2|x|)², without the cancellation of 1 − tanh²; 4 · dy could be infinite
  let e = exp(-2.0 * abs(v));
  let result = slope * e / (0.25 * ((1.0 + e) * (1.0 + e)));
  //#else
  let result = hyperbolic_tangent(v);
  //#end
  //#end
  //#if OP == relu6
  //#if GRADIENT
  let result = select(slope, vec4f(), (v <= vec4f()) | (v >= vec4f(6.0)));
  //#else
  let result = clamp(v, vec4f(), vec4f(6.0));
  //#end
  //#end
  //#if OP == hardswish
  //#if GRADIENT
  // f′ = 0 below −3, (2x + 3)/6 up to 3, 1 above
  let inner = select((2.0 * v + 3.0) / 6.0, vec4f(1.0), v > vec4f(3.0));
  let result = select(slope * inner, vec4f(), v < vec4f(-3.0));
  //#else
  let result = select(v * clamp(v + 3.0, vec4f(), vec4f(6.0)) / 6.0, vec4f(), v < vec4f(-3.0));
  //#end
  //#end
  //#if OP == pow
  //#if GRADIENT
  let result = slope * params.factor * power(v);
  //#else
  let result = power(v);
  //#end
  // x⁰ is 1 for NaN too.
  y[i] = result;
  //#else
  //#if OP == relu6
  //#if GRADIENT
  // As in PyTorch, the slope at NaN is 1.
  y[i] = select(result, slope, is_nan(v));
  //#else
  y[i] = select(result, v, is_nan(v));
  //#end
  //#else
  y[i] = select(result, v, is_nan(v));
  //#end
  //#end
}
