// y[outer, first_part + part, inner] = what the elements x[outer, a, inner] of the part become together:
//   sum        Σ, by runs of elements, then of the runs, so that few additions lie between an element and the sum
//   product    Π, in order
//   maximum    the largest, NaN where there is one
//   minimum    the smallest, NaN where there is one
// x: [outer, axis, inner], y: [outer, all_parts, inner]; part p covers a = p·part_length … below (p + 1)·part_length.
//
// One invocation makes one element of y.   OP: one of the names above.   TYPE: f, or u or i for whole numbers modulo 2^32.   VECTOR: true when
// an element is a vec4 (inner counts vec4s), false for scalars.   WORKGROUP: invocations of a workgroup.
//#if TYPE == f
//#use number/element_nan
//#else
//#if VECTOR
alias Element = vec4{{TYPE}};
alias Truth = vec4<bool>;
//#else
alias Element = {{TYPE}}32;
alias Truth = bool;
//#end
fn is_nan_element(v: Element) -> Truth {
  return Truth();
}
//#end

const RUN = 16u;

struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
  parts: u32,
  part_length: u32,
  first_part: u32,
  all_parts: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.outer * params.parts * params.inner) {
    return;
  }
  let line = index / params.inner;
  let inner = index - line * params.inner;
  let outer = line / params.parts;
  let part = line - outer * params.parts;
  let first = part * params.part_length;
  let end = min(first + params.part_length, params.axis);
  let start = outer * params.axis * params.inner + inner;
  //#if OP == sum
  var result = Element();
  for (var run = first; run < end; run += RUN) {
    var sum = Element();
    for (var a = run; a < min(run + RUN, end); a++) {
      sum += x[start + a * params.inner];
    }
    result += sum;
  }
  //#else
  var result = x[start + first * params.inner];
  for (var a = first + 1u; a < end; a++) {
    let v = x[start + a * params.inner];
    //#if OP == product
    result *= v;
    //#end
    //#if OP == maximum
    result = select(result, v, (v > result) | is_nan_element(v));
    //#end
    //#if OP == minimum
    result = select(result, v, (v < result) | is_nan_element(v));
    //#end
  }
  //#end
  y[(outer * params.all_parts + params.first_part + part) * params.inner + inner] = result;
}
