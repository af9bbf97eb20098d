// y[i_0, i_1, …] = x[Σ_d (i_d − before_d) · stride_d] where 0 ≤ i_d − before_d < from_d on every axis d, elsewhere `fill`.
// With before = −start it cuts a part out of x, with positive ones it surrounds x by `fill`, with other strides it permutes
// the axes. y has RANK axes of extent0 (the last), extent1 (the one before), …
//
// Elements are moved as bits, so that it serves every data type. One invocation makes one element of y. RANK: 1..6.
// ELEMENT: u32, or with HALF f16; or vec4u (vec4h) when the last axis is that of x and its extent, from and all strides
// count vec4s.   HALF: true for tensors of f16.   WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32, // elements of y
  fill: u32, // bits, those of f32 with HALF
  //#for d in 0..RANK
  extent{{d}}: u32,
  before{{d}}: i32,
  from{{d}}: u32,
  stride{{d}}: u32,
  //#end
}

alias Element = {{ELEMENT}};

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.count) {
    return;
  }
  var rest = index;
  var at = 0u;
  var inside = true;
  //#for d in 0..RANK
  {
    let outer = rest / params.extent{{d}};
    // A place before the start wraps to a number above every extent.
    let i = u32(i32(rest - outer * params.extent{{d}}) - params.before{{d}});
    inside = inside && i < params.from{{d}};
    at += i * params.stride{{d}};
    rest = outer;
  }
  //#end
  if (inside) {
    y[index] = x[at];
  } else {
    //#if HALF
    y[index] = Element(f16(bitcast<f32>(params.fill)));
    //#else
    y[index] = Element(params.fill);
    //#end
  }
}
