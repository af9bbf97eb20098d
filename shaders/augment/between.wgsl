// Levels of 0 … 255 and pixels of R + 2^8 G + 2^16 B, computed with as Pillow does.

fn channels(pixel: u32) -> vec3u {
  return (vec3u(pixel) >> vec3u(0u, 8u, 16u)) & vec3u(255u);
}

// 0.299 R + 0.587 G + 0.114 B, rounded.
fn luma(colour: vec3u) -> u32 {
  return (19595u * colour.x + 38470u * colour.y + 7471u * colour.z + 32768u) >> 16u;
}

// ⌊from + (to − from) · share / 2^16⌋ within 0 … 255; a share above 2^16, up to 2^22, goes beyond `to`.
fn between(start: u32, end: u32, share: u32) -> u32 {
  let place = (i32(start) << 16u) + (i32(end) - i32(start)) * i32(share);
  return u32(clamp(place >> 16u, 0, 255));
}
