// Two independent standard normal numbers of two random words (Box & Muller 1958).
fn normals(first: u32, second: u32) -> vec2f {
  // 24 bits each, the first in (0, 1] for the logarithm.
  let radius = sqrt(-2.0 * log((f32(first >> 8u) + 1.0) / 16777216.0));
  let angle = 6.283185307179586 * (f32(second >> 8u) / 16777216.0);
  return radius * vec2f(cos(angle), sin(angle));
}
