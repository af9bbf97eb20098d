// erfc(z) / 2 for 0 ≤ z ≤ 9, by the Chebyshev fit of Press et al., Numerical Recipes, "erfcc", of relative error 1.2e-7 in exact
// arithmetic and below 1e-6 in f32.
fn half_complement(z: vec4f) -> vec4f {
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
  return 0.5 * t * exp(p - z * z);
}

// Φ(v), the normal distribution.
fn normal_distribution(v: vec4f) -> vec4f {
  let half_tail = half_complement(min(abs(v) * 0.70710678, vec4f(9.0)));
  return select(half_tail, 1.0 - half_tail, v > vec4f());
}

// erf v: near 0 its series.
fn error_function(v: vec4f) -> vec4f {
  let s = v * v;
  var series = vec4f(-0.00085483270);
  series = series * s + 0.0052239776;
  series = series * s - 0.026866171;
  series = series * s + 0.11283792;
  series = series * s - 0.37612639;
  series = series * s + 1.1283792;
  let far = sign(v) * (1.0 - 2.0 * half_complement(min(abs(v), vec4f(9.0))));
  return select(far, v * series, abs(v) < vec4f(0.5));
}
