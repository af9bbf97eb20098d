// How many elements of a tensor are NaN or infinite, and the range of the others, added to one slot of a table:
//   table[4 slot]     += elements that are NaN
//   table[4 slot + 1] += infinite elements
//   table[4 slot + 2]  = max(itself, order(x))     over the finite elements; order(x) is a u32 that grows with x and is
//   table[4 slot + 3]  = max(itself, ~order(x))    neither 0 nor ~0 for them, so that 0 means "none seen" in both
// Sums and maxima of integers: the result does not depend on the order of the invocations.
// x is looked at as bits, because a compiler may assume that a float is never NaN and drop such a test.
// Invocation i of `invocations` looks at vec4s i, i + invocations, …
// WORKGROUP 1..256.   x: f32 or f16 [count], padded to whole vec4s.   table: u32 [slots, 4].

struct Params {
  count: u32,
  slot: u32,
  invocations: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> table: array<atomic<u32>>;
@group(1) @binding(0) var<uniform> params: Params;

const EXPONENT = 0x7f800000u;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= params.invocations) {
    return;
  }
  let vectors = (params.count + 3u) / 4u;
  var nans = vec4<u32>(0u);
  var infinities = vec4<u32>(0u);
  var largest = vec4<u32>(0u);
  var smallest = vec4<u32>(0u);
  for (var i = id.x; i < vectors; i += params.invocations) {
    let bits = bitcast<vec4<u32>>(x[i]);
    let within = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(params.count);
    let finite = (bits & vec4<u32>(EXPONENT)) != vec4<u32>(EXPONENT);
    let infinite = (bits & vec4<u32>(0x7fffffffu)) == vec4<u32>(EXPONENT);
    nans += select(vec4<u32>(0u), vec4<u32>(1u), within & !finite & !infinite);
    infinities += select(vec4<u32>(0u), vec4<u32>(1u), within & infinite);
    // Negative numbers have all bits turned, the others the sign alone: then unsigned order is the order of numbers.
    let order = bits ^ select(vec4<u32>(0x80000000u), vec4<u32>(0xffffffffu), bits >= vec4<u32>(0x80000000u));
    largest = max(largest, select(vec4<u32>(0u), order, within & finite));
    smallest = max(smallest, select(vec4<u32>(0u), ~order, within & finite));
  }
  let at = 4u * params.slot;
  let nan = nans.x + nans.y + nans.z + nans.w;
  let infinity = infinities.x + infinities.y + infinities.z + infinities.w;
  if (nan > 0u) {
    atomicAdd(&table[at], nan);
  }
  if (infinity > 0u) {
    atomicAdd(&table[at + 1u], infinity);
  }
  atomicMax(&table[at + 2u], max(max(largest.x, largest.y), max(largest.z, largest.w)));
  atomicMax(&table[at + 3u], max(max(smallest.x, smallest.y), max(smallest.z, smallest.w)));
}
