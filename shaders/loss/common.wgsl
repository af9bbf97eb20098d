// What loss/rows.wgsl and its gradient share.
//#use number/exponential
struct Params {
  rows: u32,
  columns: u32,
  first_row: u32,
}

// m = max_j logits[start + j] and Σ_j e^(logits[start + j] − m), over a row.
fn softmax_of(start: u32) -> vec2f {
  var top = logits[start];
  for (var j = 1u; j < params.columns; j++) {
    top = max(top, logits[start + j]);
  }
  // Compensated (Kahan): an error of the total shifts every D_j by its share of the mass, and the D_j may be far smaller.
  var total = 0.0;
  var excess = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    let term = exponential(logits[start + j] - top) - excess;
    let next = total + term;
    excess = (next - total) - term;
    total = next;
  }
  return vec2f(top, total);
}
