// y[i] = x[i] · x[i]        x, y: [N] u32, N = arrayLength
// Invocation i owns output i. Integers, so that the result is exact on every driver.

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&x)) {
    y[id.x] = x[id.x] * x[id.x];
  }
}
