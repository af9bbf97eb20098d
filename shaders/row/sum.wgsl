// Sums over a row. One lane adds Elements up one after the other. Of
// more lanes Elements i ≡ s (mod 64) are added up in slot s, with what rounding loses carried along (Kahan 1965), slots
// s ≡ b (mod 8) in block b, and blocks in order: 8 lanes and 64 make the same bits, and the error hardly grows with the row.
// The kernel has `params.columns`, Elements of a row, and
//   fn term(which: u32, start: u32, column: u32, given: vec2f) -> Element
// for what is added up: number `which` of its sums, at an Element of the row that begins at `start`.
//#use row/place
//#use number/total

const SLOTS = 64u;
const BLOCKS = 8u;
// Sums that a kernel has at most.
const SUMS = 2u;

struct Sum {
  total: Element,
  excess: Element,
}

fn plus(sum: Sum, value: Element) -> Sum {
  let exact = value - sum.excess;
  let next = sum.total + exact;
  // Compilers may take (a + b) − a for b, and would lose what is carried: bits are no sum to them.
  //#if VECTOR
  let bits = bitcast<vec4u>(next) | vec4u(params.columns >> 31u);
  let stored = bitcast<vec4f>(bits);
  let is_finite = (bits & vec4u(0x7f800000u)) != vec4u(0x7f800000u);
  //#else
  let bits = bitcast<u32>(next) | (params.columns >> 31u);
  let stored = bitcast<f32>(bits);
  let is_finite = (bits & 0x7f800000u) != 0x7f800000u;
  //#end
  // Nothing is lost beyond the finite: ∞ − ∞ would make a sum that is ∞ NaN.
  return Sum(stored, select(Element(), (stored - sum.total) - exact, is_finite));
}

// Σ of the terms of a slot.
fn slot_sum(which: u32, start: u32, slot: u32, given: vec2f) -> f32 {
  var own = Sum();
  for (var column = slot; column < params.columns; column += SLOTS) {
    own = plus(own, term(which, start, column, given));
  }
  return total(own.total);
}

//#if LANES == 8
var<workgroup> blocks: array<f32, SUMS * BLOCKS>;
//#end
//#if LANES == 64
var<workgroup> slots: array<f32, SUMS * SLOTS>;
//#end

fn row_sum(which: u32, start: u32, lane: u32, given: vec2f) -> f32 {
  var sum = 0.0;
  //#if LANES == 1
  var own = Element();
  for (var column = 0u; column < params.columns; column++) {
    own += term(which, start, column, given);
  }
  sum = total(own);
  //#end
  //#if LANES == 8
  var own = 0.0;
  for (var slot = lane; slot < min(SLOTS, params.columns); slot += BLOCKS) {
    own += slot_sum(which, start, slot, given);
  }
  blocks[which * BLOCKS + lane] = own;
  workgroupBarrier();
  for (var block = 0u; block < BLOCKS; block++) {
    sum += blocks[which * BLOCKS + block];
  }
  //#end
  //#if LANES == 64
  slots[which * SLOTS + lane] = slot_sum(which, start, lane, given);
  workgroupBarrier();
  for (var first = 0u; first < BLOCKS; first++) {
    var block = 0.0;
    for (var slot = first; slot < SLOTS; slot += BLOCKS) {
      block += slots[which * SLOTS + slot];
    }
    sum += block;
  }
  //#end
  return sum;
}
