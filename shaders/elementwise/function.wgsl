// What kernels for functions of one number without parameters share.
//#use number/kept

struct Params {
  count4: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
//#if GRADIENT
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

// Numbers of these bits, which no compiler sees through: WGSL has no constants for infinities and NaN.
fn of_bits(bits: u32) -> vec4f {
  return vec4f(bitcast<f32>(bits | (params.count4 >> 31u)));
}
