// e^v − 1, by its series where 1 would take the digits away.
fn exp_minus_one(v: vec4f) -> vec4f {
  var series = vec4f(1.0 / 40320.0);
  series = series * v + 1.0 / 5040.0;
  series = series * v + 1.0 / 720.0;
  series = series * v + 1.0 / 120.0;
  series = series * v + 1.0 / 24.0;
  series = series * v + 1.0 / 6.0;
  series = series * v + 0.5;
  series = series * v + 1.0;
  return select(exp(v) - 1.0, v * series, abs(v) < vec4f(0.5));
}

// ln(1 + v) for v > −1: near 0 as 2 artanh(v / (2 + v)).
fn log_plus_one(v: vec4f) -> vec4f {
  let s = v / (2.0 + v);
  let q = s * s;
  var series = vec4f(1.0 / 11.0);
  series = series * q + 1.0 / 9.0;
  series = series * q + 1.0 / 7.0;
  series = series * q + 0.2;
  series = series * q + 1.0 / 3.0;
  series = series * q + 1.0;
  return select(log(1.0 + v), 2.0 * s * series, abs(v) < vec4f(0.5));
}
