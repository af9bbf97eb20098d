// y[i] = f(a[i], b[i]) where a and b are repeated along axes on which they have extent 1:
//   add: a + b   subtract: a − b   multiply: a · b   divide: a / b   at_least: 1 where a ≥ b, else 0, also where one is NaN
// y has RANK axes of extent0 (the last), extent1 (the one before), …; a and b are read at Σ i_d · stride_d, the stride being 0 along a repeated axis.
//
// One invocation makes one element of y. OP: one of the names above.   RANK: 1..6.   VECTOR: elements of y are vec4s, and the
// last extent and all strides count vec4s; a (b) is then read as vec4s, or as scalars with A_SPLAT (B_SPLAT), which says that
// it is repeated along the last axis.   WORKGROUP: invocations of a workgroup.
//#use number/nan

struct Params {
  count: u32, // elements of y
  //#for d in 0..RANK
  extent{{d}}: u32,
  a_stride{{d}}: u32,
  b_stride{{d}}: u32,
  //#end
}

//#if VECTOR
alias Element = vec4f;
//#else
alias Element = f32;
//#end
//#if A_SPLAT
alias ElementA = f32;
//#else
alias ElementA = Element;
//#end
//#if B_SPLAT
alias ElementB = f32;
//#else
alias ElementB = Element;
//#end

@group(0) @binding(0) var<storage, read> a: array<ElementA>;
@group(0) @binding(1) var<storage, read> b: array<ElementB>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.count) {
    return;
  }
  var rest = index;
  var a_at = 0u;
  var b_at = 0u;
  //#for d in 0..RANK
  {
    let outer = rest / params.extent{{d}};
    let i = rest - outer * params.extent{{d}};
    a_at += i * params.a_stride{{d}};
    b_at += i * params.b_stride{{d}};
    rest = outer;
  }
  //#end
  let left = Element(a[a_at]);
  let right = Element(b[b_at]);
  //#if OP == add
  y[index] = left + right;
  //#end
  //#if OP == subtract
  y[index] = left - right;
  //#end
  //#if OP == multiply
  y[index] = left * right;
  //#end
  //#if OP == divide
  y[index] = left / right;
  //#end
  //#if OP == at_least
  //#if VECTOR
  y[index] = select(vec4f(), vec4f(1.0), (left >= right) & !(is_nan4(left) | is_nan4(right)));
  //#else
  y[index] = select(0.0, 1.0, left >= right && !(is_nan(left) || is_nan(right)));
  //#end
  //#end
}
