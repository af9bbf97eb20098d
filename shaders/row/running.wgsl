// Running sums along a row that LANES invocations walk in CHUNKS chunks of neighbouring columns: one lane in one, more lanes in
// 64, each chunk beginning with the sum of those before it. What rounding loses is carried along (Kahan 1965).
// The kernel has `params.columns`. Elements are single numbers.
//#use row/place

//#if LANES == 1
const CHUNKS = 1u;
//#else
const CHUNKS = 64u;
//#end

struct Running {
  total: f32,
  excess: f32,
}

fn plus_one(sum: Running, value: f32) -> Running {
  let exact = value - sum.excess;
  // Compilers may take (a + b) − a for b, and would lose what is carried: bits are no sum to them.
  let bits = bitcast<u32>(sum.total + exact) | (params.columns >> 31u);
  let next = bitcast<f32>(bits);
  // Nothing is lost beyond the finite: ∞ − ∞ would make a sum that is ∞ NaN.
  let is_finite = (bits & 0x7f800000u) != 0x7f800000u;
  return Running(next, select(0.0, (next - sum.total) - exact, is_finite));
}

// Columns of a chunk: from the first to below the second.
fn chunk_bounds(chunk: u32) -> vec2u {
  let length = (params.columns + CHUNKS - 1u) / CHUNKS;
  return min(vec2u(chunk, chunk + 1u) * length, vec2u(params.columns));
}

// Sums of each chunk, of up to 5 things.
//#if LANES == 1
var<private> chunks: array<f32, 5u * CHUNKS>;
//#else
var<workgroup> chunks: array<f32, 5u * CHUNKS>;
//#end

fn keep(which: u32, chunk: u32, sum: Running) {
  chunks[which * CHUNKS + chunk] = sum.total;
}

// All lanes have kept theirs.
fn kept() {
  //#if LANES != 1
  workgroupBarrier();
  //#end
}

// The sum of what is kept of the chunks from the first to below the second.
fn between(which: u32, first: u32, end: u32) -> Running {
  var sum = Running();
  for (var chunk = first; chunk < end; chunk++) {
    sum = plus_one(sum, chunks[which * CHUNKS + chunk]);
  }
  return sum;
}
