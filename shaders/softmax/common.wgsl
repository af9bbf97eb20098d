// What softmax/rows.wgsl and its gradient share.
//#use number/element_exponential
//#use row/sum
struct Params {
  rows: u32,
  columns: u32, // in Elements
}
