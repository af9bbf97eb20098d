// e^v of an Element, NaN for NaN, which drivers may make ∞.
//#use number/element_nan
fn exponential(v: Element) -> Element {
  return select(exp(v), v, is_nan_element(v));
}
