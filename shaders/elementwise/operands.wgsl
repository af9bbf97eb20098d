// Operands that are repeated along axes on which they have extent 1, or are one number, and where they are read. y has RANK axes of
// extent0 (the last), extent1 (the one before), …; an operand is read at Σ i_d · stride_d, the stride being 0 along a repeated axis.
//
// RANK: 1..10, with c 1..7.   VECTOR: elements of y are vec4s, and the last extent and all strides count vec4s.   A, B, C: how an operand
// lies: "whole", as y does; "splat", one number for each vec4 of y; "number", one number of Params; "none".   TYPE: f, u or i, numbers or
// whole ones in a and b, C_TYPE in c, RESULT in y.

struct Params {
  count: u32, // elements of y
  //#if A == number
  a_number: {{TYPE}}32,
  //#end
  //#if B == number
  b_number: {{TYPE}}32,
  //#end
  //#for d in 0..RANK
  extent{{d}}: u32,
  //#if A != number
  a_stride{{d}}: u32,
  //#end
  //#if B != number
  b_stride{{d}}: u32,
  //#end
  //#if C != none
  c_stride{{d}}: u32,
  //#end
  //#end
}

//#if VECTOR
alias Operand = vec4{{TYPE}};
alias Condition = vec4{{C_TYPE}};
alias Result = vec4{{RESULT}};
alias Words = vec4u;
alias Truth = vec4<bool>;
//#else
alias Operand = {{TYPE}}32;
alias Condition = {{C_TYPE}}32;
alias Result = {{RESULT}}32;
alias Words = u32;
alias Truth = bool;
//#end
//#if A == splat
alias StoredA = {{TYPE}}32;
//#else
alias StoredA = Operand;
//#end
//#if B == splat
alias StoredB = {{TYPE}}32;
//#else
alias StoredB = Operand;
//#end
//#if C == splat
alias StoredC = {{C_TYPE}}32;
//#else
alias StoredC = Condition;
//#end

//#if A != number
@group(0) @binding(0) var<storage, read> a: array<StoredA>;
//#end
//#if B != number
@group(0) @binding(1) var<storage, read> b: array<StoredB>;
//#end
@group(0) @binding(2) var<storage, read_write> y: array<Result>;
//#if C != none
@group(0) @binding(3) var<storage, read> c: array<StoredC>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

// Bits without the sign. Compilers may take it that no float is NaN: what a number is, is read from its bits.
//#if TYPE == f
fn words(v: Operand) -> Words {
  return bitcast<Words>(v) & Words(0x7fffffffu);
}
fn is_nan(v: Operand) -> Truth {
  return words(v) > Words(0x7f800000u);
}
//#else
fn words(v: Operand) -> Words {
  return bitcast<Words>(v);
}
fn is_nan(v: Operand) -> Truth {
  return Truth();
}
//#end

struct Operands {
  left: Operand,
  right: Operand,
  third: Condition,
}

fn operands_at(index: u32) -> Operands {
  var rest = index;
  var a_at = 0u;
  var b_at = 0u;
  var c_at = 0u;
  //#for d in 0..RANK
  {
    //#if RANK == 1
    let i = rest;
    //#else
    let outer = rest / params.extent{{d}};
    let i = rest - outer * params.extent{{d}};
    rest = outer;
    //#end
    //#if A != number
    a_at += i * params.a_stride{{d}};
    //#end
    //#if B != number
    b_at += i * params.b_stride{{d}};
    //#end
    //#if C != none
    c_at += i * params.c_stride{{d}};
    //#end
  }
  //#end
  //#if A == number
  let left = Operand(params.a_number);
  //#else
  let left = Operand(a[a_at]);
  //#end
  //#if B == number
  let right = Operand(params.b_number);
  //#else
  let right = Operand(b[b_at]);
  //#end
  //#if C == none
  return Operands(left, right, Condition());
  //#else
  return Operands(left, right, Condition(c[c_at]));
  //#end
}
