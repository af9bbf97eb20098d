/** C = A · B, an invocation an output; WG by an override, ROWS by the template step, `terms` what is added up. */
export function product(terms = "lhs[id.y * sizes.K + k] * rhs[k * sizes.N + id.x]"): string {
  return `// C = A · B
override WG: u32 = 8;
struct Sizes { M: u32, N: u32, K: u32 }
@group(0) @binding(0) var<storage, read> lhs: array<f32>;
@group(0) @binding(1) var<storage, read> rhs: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> sizes: Sizes;

@compute @workgroup_size(WG, {{ROWS}})
fn gemm(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.N || id.y >= sizes.M) { return; }
  var sum = 0.0;
  for (var k = 0u; k < sizes.K; k++) {
    sum += ${terms};
  }
  c[id.y * sizes.N + id.x] = sum;
}
`;
}

/** How {@link product} is run on matrices of odd extents. */
export const productDescription = {
  constants: { M: 13, N: 10, K: 7, WG: 8, ROWS: 4 },
  buffers: { lhs: "M, K", rhs: ["K", "N"], c: { shape: "M, N", fill: "nan" } },
  grid: ["ceil(N / WG)", "ceil(M / workgroup[1])"],
  reference: { operation: "matmul" },
};
