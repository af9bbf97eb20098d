// The result, or v where that is NaN.
//#use number/nan
fn kept(result: vec4f, v: vec4f) -> vec4f {
  return select(result, v, is_nan4(v));
}
