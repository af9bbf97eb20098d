// Taps of a window that lie in front of the place `end` of an axis: those t < kernel with start + t·dilation < end.
fn taps_before(end: i32, start: i32, kernel: i32, dilation: i32) -> i32 {
  return clamp((end - start + dilation - 1) / dilation, 0, kernel);
}
