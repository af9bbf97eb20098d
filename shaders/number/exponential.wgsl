// e^v, NaN for NaN, which drivers may make ∞.
//#use number/nan
fn exponential(v: f32) -> f32 {
  return select(exp(v), v, is_nan(v));
}
