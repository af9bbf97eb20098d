// The largest number of a row. The kernel has `params.columns`, Elements of a row, and `fn element(at: u32) -> Element`.
//#use row/place

//#if LANES != 1
var<workgroup> candidates: array<f32, LANES>;
//#end

fn row_largest(start: u32, lane: u32) -> f32 {
  var found = element(start + min(lane, params.columns - 1u));
  for (var column = lane + LANES; column < params.columns; column += LANES) {
    found = max(found, element(start + column));
  }
  //#if VECTOR
  var largest = max(max(found.x, found.y), max(found.z, found.w));
  //#else
  var largest = found;
  //#end
  //#if LANES != 1
  candidates[lane] = largest;
  workgroupBarrier();
  for (var i = 0u; i < LANES; i++) {
    largest = max(largest, candidates[i]);
  }
  //#end
  return largest;
}
