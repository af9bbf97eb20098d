// y[i] = f(x[i]) for every element, four at a time. With GRADIENT: y[i] = dy[i] · f′(x[i]), where x may be f(x) instead, named
// below as y. NaN stays NaN unless f has a value there; at ±∞ every f and f′ has its limit.
//
//   relu        max(x, 0)                                          0 where y = 0, else 1
//   relu6       min(max(x, 0), 6)                                  1 where 0 < x < 6, else 0
//   hardswish   x · min(max(x + 3, 0), 6) / 6                      0 below −3, (2x + 3)/6 up to 3, 1 above
//   sigmoid     σ(x) = 1/(1 + e^−x)                                σ · (1 − σ)
//   silu        x · σ(x)                                           σ · (1 + x · (1 − σ))
//   tanh        tanh x                                             1 − tanh² x
//   gelu        x · Φ(x), Φ(x) = erfc(−x/√2) / 2                   Φ(x) + x · φ(x), φ(x) = e^(−x²/2) / √2π
//   gelu_tanh   x/2 · (1 + t), t = tanh u,                         (1 + t)/2 + x/2 · (1 − t²) · u′
//               u = √(2/π) · (x + 0.044715 x³)
//   normal_cdf  Φ(x)                                               φ(x)
//   exp         e^x                                                y
//   log         ln x, −∞ at 0, NaN below                           1/x
//   sqrt        √x                                                 1 / 2y
//   square      x²                                                 2x
//   pow         x^exponent                                         factor · x^exponent, the exponent one less than that of f
//   scale       factor · x                                         (that of dy)
//   abs         |x|                                                sign(x)
//   clamp       min(max(x, low), high)                             1 for low ≤ x ≤ high, else 0
//   floor ceil round_even sign    rounded down, up, to nearest with halves to even; −1, 0 or 1, 0 for NaN      (none)
//   reciprocal  1/x                                                −y²
//   leaky_relu  x above 0, else alpha · x                          1 above 0, else alpha
//   hard_sigmoid min(max(alpha · x + beta, 0), 1)                  alpha between, 0 where it is 0 or 1 and for NaN
//   signed_sqrt sign(x) · √(|x| + epsilon)                         1 / (2 √(|x| + epsilon)), 0 at x = 0
//
// One invocation makes one vec4. OP: one of the names above.   GRADIENT: see above.   WHOLE, of pow: the exponent is a whole
// number from −64 to 64, taken by multiplication.   WORKGROUP: invocations of a workgroup.
//#use number/nan

struct Params {
  count4: u32,
  //#if OP == scale
  factor: f32,
  //#end
  //#if OP == pow
  exponent: f32,
  factor: f32, // 1 without GRADIENT
  //#end
  //#if OP == clamp
  low: f32,
  high: f32,
  //#end
  //#if OP == signed_sqrt
  epsilon: f32,
  //#end
  //#if OP == leaky_relu
  alpha: f32,
  //#end
  //#if OP == hard_sigmoid
  alpha: f32,
  beta: f32,
  //#end
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
//#if GRADIENT
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

//#use number/kept
//#use number/error_function

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

//#if OP == pow
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
  var result = select(vec4f(undefined_value), exp2(params.exponent * log2(v)), positive & !is_nan4(v));
  result = select(result, select(vec4f(at_lowest), vec4f(at_infinity), positive), is_infinite);
  return select(result, vec4f(at_zero), v == vec4f());
  //#end
}
//#end

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let v = x[i];
  //#if OP == relu
  //#if GRADIENT
  y[i] = select(dy[i], vec4f(), v == vec4f());
  //#else
  // As whole numbers, the bits of −0 … −∞ are those up to that of −∞; NaN of either sign lies above.
  y[i] = select(v, vec4f(), bitcast<vec4i>(v) <= vec4i(-8388608));
  //#end
  //#end
  //#if OP == gelu
  let below = normal_distribution(v);
  //#if GRADIENT
  // f′ = Φ(x) + x · φ(x), φ(x) = e^(−x²/2) / √2π
  let held = clamp(v, vec4f(-14.0), vec4f(14.0));
  let derivative = below + held * 0.39894228 * exp(-0.5 * min(v * v, vec4f(170.0)));
  y[i] = kept(dy[i] * select(derivative, vec4f(), v < vec4f(-14.0)), v);
  //#else
  // Φ(−14) is no normal number.
  y[i] = kept(select(v * below, vec4f(), v < vec4f(-14.0)), v);
  //#end
  //#end
  //#if OP == normal_cdf
  //#if GRADIENT
  // f′ = φ(x) = e^(−x²/2) / √2π
  let held = clamp(v, vec4f(-14.0), vec4f(14.0));
  y[i] = kept(select(dy[i] * 0.39894228 * exp(-0.5 * held * held), vec4f(), abs(v) > vec4f(14.0)), v);
  //#else
  // Φ(−13) is no normal number.
  y[i] = kept(select(normal_distribution(v), vec4f(), v < vec4f(-13.0)), v);
  //#end
  //#end
  //#if OP == gelu_tanh
  // e^2u grows as e^(x³): u is held where tanh u is ±1.
  let w = clamp(v, vec4f(-100.0), vec4f(100.0));
  let t = hyperbolic_tangent(0.79788456 * (w + 0.044715 * w * w * w));
  //#if GRADIENT
  // f′ = (1 + t)/2 + x/2 · (1 − t²) · √(2/π) · (1 + 3 · 0.044715 x²)
  y[i] = kept(dy[i] * (0.5 * (1.0 + t) + 0.5 * w * (1.0 - t * t) * 0.79788456 * (1.0 + 0.134145 * w * w)), v);
  //#else
  y[i] = kept(select(0.5 * v * (1.0 + t), vec4f(), v < vec4f(-100.0)), v);
  //#end
  //#end
  //#if OP == silu
  let s = logistic(v);
  // e^−88 is no normal number.
  let beyond = v < vec4f(-88.0);
  //#if GRADIENT
  // f′ = σ · (1 + x · (1 − σ))
  y[i] = kept(dy[i] * select(s, vec4f(), beyond) * (1.0 + clamp(v, vec4f(-88.0), vec4f(88.0)) * (1.0 - s)), v);
  //#else
  y[i] = kept(select(v * s, vec4f(), beyond), v);
  //#end
  //#end
  //#if OP == sigmoid
  //#if GRADIENT
  // f′ = σ · (1 − σ) = e^−|x| / (1 + e^−|x|)², without the cancellation of 1 − σ
  let e = exp(-abs(v));
  y[i] = kept(dy[i] * e / ((1.0 + e) * (1.0 + e)), v);
  //#else
  y[i] = kept(logistic(v), v);
  //#end
  //#end
  //#if OP == tanh
  //#if GRADIENT
  // f′ = 1 − tanh² = 4 e^−2|x| / (1 + e^−2|x|)², without the cancellation of 1 − tanh²; 4 · dy could be infinite
  let e = exp(-2.0 * abs(v));
  y[i] = kept(dy[i] * e / (0.25 * ((1.0 + e) * (1.0 + e))), v);
  //#else
  y[i] = kept(hyperbolic_tangent(v), v);
  //#end
  //#end
  //#if OP == relu6
  //#if GRADIENT
  // As in PyTorch, the slope at NaN is 1.
  let slope = select(dy[i], vec4f(), (v <= vec4f()) | (v >= vec4f(6.0)));
  y[i] = select(slope, dy[i], is_nan4(v));
  //#else
  y[i] = kept(clamp(v, vec4f(), vec4f(6.0)), v);
  //#end
  //#end
  //#if OP == hardswish
  //#if GRADIENT
  // f′ = 0 below −3, (2x + 3)/6 up to 3, 1 above
  let inner = select((2.0 * v + 3.0) / 6.0, vec4f(1.0), v > vec4f(3.0));
  y[i] = kept(select(dy[i] * inner, vec4f(), v < vec4f(-3.0)), v);
  //#else
  y[i] = kept(select(v * clamp(v + 3.0, vec4f(), vec4f(6.0)) / 6.0, vec4f(), v < vec4f(-3.0)), v);
  //#end
  //#end
  //#if OP == exp
  //#if GRADIENT
  y[i] = dy[i] * v;
  //#else
  y[i] = kept(exp(v), v);
  //#end
  //#end
  //#if OP == log
  //#if GRADIENT
  y[i] = dy[i] / v;
  //#else
  // WGSL leaves open what the logarithm of 0, of a negative number and of NaN is, and drivers differ. What it is here cannot
  // be written as a constant, hence bits that no compiler of WGSL sees through.
  let zero = params.count4 >> 31u;
  let undefined_value = bitcast<f32>(0x7fc00000u | zero);
  let lowest = bitcast<f32>(0xff800000u | zero);
  y[i] = select(select(vec4f(undefined_value), vec4f(lowest), v == vec4f()), log(v), v > vec4f());
  //#end
  //#end
  //#if OP == sqrt
  //#if GRADIENT
  y[i] = 0.5 * dy[i] / v;
  //#else
  y[i] = sqrt(v);
  //#end
  //#end
  //#if OP == square
  //#if GRADIENT
  y[i] = 2.0 * (dy[i] * v);
  //#else
  y[i] = v * v;
  //#end
  //#end
  //#if OP == pow
  //#if GRADIENT
  y[i] = dy[i] * params.factor * power(v);
  //#else
  // x⁰ is 1 for NaN too.
  y[i] = power(v);
  //#end
  //#end
  //#if OP == scale
  y[i] = params.factor * v;
  //#end
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
  y[i] = kept(clamp(v, vec4f(params.low), vec4f(params.high)), v);
  //#end
  //#end
  //#if OP == signed_sqrt
  let root = sqrt(abs(v) + params.epsilon);
  //#if GRADIENT
  y[i] = select(0.5 * dy[i] / root, vec4f(), v == vec4f());
  //#else
  y[i] = sign(v) * root;
  //#end
  //#end
  //#if OP == floor
  y[i] = kept(floor(v), v);
  //#end
  //#if OP == ceil
  y[i] = kept(ceil(v), v);
  //#end
  //#if OP == round_even
  y[i] = kept(round(v), v);
  //#end
  //#if OP == sign
  y[i] = select(sign(v), vec4f(), is_nan4(v));
  //#end
  //#if OP == reciprocal
  //#if GRADIENT
  y[i] = -dy[i] * (v * v);
  //#else
  y[i] = 1.0 / v;
  //#end
  //#end
  //#if OP == leaky_relu
  //#if GRADIENT
  y[i] = dy[i] * select(vec4f(params.alpha), vec4f(1.0), (v > vec4f()) & !is_nan4(v));
  //#else
  y[i] = kept(v * select(vec4f(params.alpha), vec4f(1.0), v > vec4f()), v);
  //#end
  //#end
  //#if OP == hard_sigmoid
  let line = params.alpha * v + params.beta;
  //#if GRADIENT
  let inside = (line > vec4f()) & (line < vec4f(1.0)) & !is_nan4(line);
  y[i] = select(vec4f(), dy[i] * params.alpha, inside);
  //#else
  y[i] = kept(clamp(line, vec4f(), vec4f(1.0)), v);
  //#end
  //#end
}
