// y[i] = f(a[i], b[i]) for every element, four at a time.   add: a + b   subtract: a − b   multiply: a · b   divide: a / b
// at_least: 1 where a ≥ b, else 0, also where one of them is NaN
// relu_gradient: a, but 0 where b = 0 (a the output gradient, b the output of ReLU, which may be NaN)
//
// One invocation makes one vec4. OP: one of the names above.   WORKGROUP: invocations of a workgroup.
//#use number/nan

struct Params {
  count4: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  //#if OP == add
  y[i] = a[i] + b[i];
  //#end
  //#if OP == subtract
  y[i] = a[i] - b[i];
  //#end
  //#if OP == multiply
  y[i] = a[i] * b[i];
  //#end
  //#if OP == divide
  y[i] = a[i] / b[i];
  //#end
  //#if OP == at_least
  y[i] = select(vec4f(), vec4f(1.0), (a[i] >= b[i]) & !(is_nan4(a[i]) | is_nan4(b[i])));
  //#end
  //#if OP == relu_gradient
  y[i] = select(a[i], vec4f(), b[i] == vec4f());
  //#end
}
