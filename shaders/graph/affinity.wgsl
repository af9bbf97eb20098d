// Weights of a neighbour graph, element by element, four at a time:
//
//   rbf:  y = exp(−x / (2 s²))      x squared distances, s² = variance[0] their mean; 1 where that is 0
//   cos:  y = max(0, x)^power       x cosine similarities
//
// One invocation makes one vec4. KIND: rbf or cos.   WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  power: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
//#if KIND == rbf
@group(0) @binding(2) var<storage, read> variance: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  //#if KIND == rbf
  y[i] = exp(-x[i] / select(2.0 * variance[0], 1.0, variance[0] == 0.0));
  //#else
  y[i] = pow(max(x[i], vec4f()), vec4f(params.power));
  //#end
}
