// y[0] ← y[0] + 1: the least that a dispatch can do and still be counted. One invocation; every dispatch waits for the one
// before it, as the kernels of a network do.

@group(0) @binding(0) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(1)
fn main() {
  y[0] += 1u;
}
