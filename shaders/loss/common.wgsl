// What loss/rows.wgsl and its gradient share.
//#use number/element_exponential
//#use row/largest
//#use row/sum
struct Params {
  rows: u32,
  columns: u32, // in Elements
  first_row: u32,
}

fn element(at: u32) -> Element {
  return logits[at];
}
