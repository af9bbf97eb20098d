// Whether the numbers of an Element are NaN.
//#use number/element
//#use number/nan
//#if VECTOR
fn is_nan_element(v: Element) -> vec4<bool> {
  return is_nan4(v);
}
//#else
fn is_nan_element(v: Element) -> bool {
  return is_nan(v);
}
//#end
