// y[i] = f(x[i]) for every element, four at a time. With GRADIENT: y[i] = dy[i] · f′(x[i]). What elementwise/unary is, for the functions of the
// hyperbola. NaN where a function is not defined.
//
//   sinh cosh          cosh x, sinh x
//   asinh acosh atanh  1/√(x² + 1), 1/√(x² − 1), 1/(1 − x²)
//
// One invocation makes one vec4. OP: one of the names above.   GRADIENT: see above.   WORKGROUP: invocations of a workgroup.
//#use elementwise/function

//#use number/near_one
// (e^v − e^−v) / 2 for v ≥ 0: near 0 its series. e^(v/2) is finite where e^v / 2 is.
fn hyperbolic_sine(v: vec4f) -> vec4f {
  let s = v * v;
  let series = v * (1.0 + s * (1.0 / 6.0 + s * (1.0 / 120.0 + s * (1.0 / 5040.0 + s * (1.0 / 362880.0)))));
  let half_power = exp(0.5 * v);
  return select(0.5 * half_power * half_power - 0.5 / (half_power * half_power), series, v < vec4f(1.0));
}

fn hyperbolic_cosine(v: vec4f) -> vec4f {
  let half_power = exp(0.5 * v);
  return 0.5 * half_power * half_power + 0.5 / (half_power * half_power);
}

// ln(v + √(v² + 1)) for v ≥ 0, v² + 1 in place of v² being no matter from 1e4 on.
fn area_sine(v: vec4f) -> vec4f {
  let held = min(v, vec4f(1e4));
  let near = log_plus_one(held + held * held / (1.0 + sqrt(1.0 + held * held)));
  return select(near, log(v) + 0.69314718, v > vec4f(1e4));
}

// ln(v + √(v² − 1)) for v ≥ 1.
fn area_cosine(v: vec4f) -> vec4f {
  let u = clamp(v - 1.0, vec4f(), vec4f(1e4));
  return select(log_plus_one(u + sqrt(u * (u + 2.0))), log(v) + 0.69314718, v > vec4f(1e4));
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  let v = x[i];
  let size = abs(v);
  let infinite = of_bits(0x7f800000u);
  let undefined_value = of_bits(0x7fc00000u);
  let beyond = (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) == vec4u(0x7f800000u);
  //#if OP == sinh
  //#if GRADIENT
  y[i] = kept(dy[i] * select(hyperbolic_cosine(min(size, vec4f(100.0))), infinite, size > vec4f(90.0)), v);
  //#else
  y[i] = kept(sign(v) * select(hyperbolic_sine(min(size, vec4f(100.0))), infinite, size > vec4f(90.0)), v);
  //#end
  //#end
  //#if OP == cosh
  //#if GRADIENT
  y[i] = kept(dy[i] * (sign(v) * select(hyperbolic_sine(min(size, vec4f(100.0))), infinite, size > vec4f(90.0))), v);
  //#else
  y[i] = kept(select(hyperbolic_cosine(min(size, vec4f(100.0))), infinite, size > vec4f(90.0)), v);
  //#end
  //#end
  //#if OP == asinh
  //#if GRADIENT
  y[i] = kept(select(dy[i] / sqrt(v * v + 1.0), vec4f(), size > vec4f(1e19)), v);
  //#else
  y[i] = kept(sign(v) * select(area_sine(min(size, vec4f(3.4028234e38))), infinite, beyond), v);
  //#end
  //#end
  //#if OP == acosh
  //#if GRADIENT
  let inner = (size - 1.0) * (size + 1.0);
  let slope = select(dy[i] / sqrt(inner), undefined_value, inner < vec4f());
  y[i] = kept(select(slope, vec4f(), size > vec4f(1e19)), v);
  //#else
  let outside = select(area_cosine(min(v, vec4f(3.4028234e38))), infinite, beyond);
  y[i] = kept(select(outside, undefined_value, v < vec4f(1.0)), v);
  //#end
  //#end
  //#if OP == atanh
  //#if GRADIENT
  y[i] = kept(dy[i] / ((1.0 - v) * (1.0 + v)), v);
  //#else
  // ½ · ln((1 + x)/(1 − x)); held below 1, where it is infinite.
  let held = min(size, vec4f(0.99999994));
  let near = 0.5 * log_plus_one(2.0 * held / (1.0 - held));
  y[i] = kept(select(sign(v) * select(near, infinite, size == vec4f(1.0)), undefined_value, size > vec4f(1.0)), v);
  //#end
  //#end
}
