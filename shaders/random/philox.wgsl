// Philox4x32-10 (Salmon et al. 2011): four random words of a counter under a key.

// High word of a 32 x 32 bit product, from 16-bit halves.
fn high_word(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let cross = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (cross & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (cross >> 16u) + (other >> 16u);
}

fn philox(start: vec4u, start_key: vec2u) -> vec4u {
  var c = start;
  var key = start_key;
  for (var round = 0; round < 10; round++) {
    c = vec4u(
      high_word(0xCD9E8D57u, c.z) ^ c.y ^ key.x,
      0xCD9E8D57u * c.z,
      high_word(0xD2511F53u, c.x) ^ c.w ^ key.y,
      0xD2511F53u * c.x,
    );
    key += vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}
