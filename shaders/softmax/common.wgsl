// What softmax/rows.wgsl and its gradient share.
//#use number/element_nan
struct Params {
  rows: u32,
  columns: u32, // in Elements
}

// e^v, NaN for NaN, which drivers may make ∞.
fn exponential(v: Element) -> Element {
  return select(exp(v), v, is_nan_element(v));
}
