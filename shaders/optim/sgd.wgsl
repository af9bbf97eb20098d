// Stochastic gradient descent with momentum, in PyTorch's form:
//   d = gradient + decay · parameter      velocity = momentum · velocity + d
//   parameter −= rate · velocity,   or with Nesterov   parameter −= rate · (d + momentum · velocity)
// With STATE the gradient is first multiplied with the factor in `state` (optim/gradient_state.wgsl), or nothing is done.
// One invocation updates one vec4. NESTEROV, STATE: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  rate: f32,
  momentum: f32,
  decay: f32,
}

@group(0) @binding(0) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> velocity: array<vec4f>;
//#if STATE
@group(0) @binding(3) var<storage, read> state: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  var g = gradient[i];
  //#if STATE
  if (state[1] != 0.0) {
    return;
  }
  g *= state[0];
  //#end
  let d = g + params.decay * parameter[i];
  let v = params.momentum * velocity[i] + d;
  velocity[i] = v;
  //#if NESTEROV
  parameter[i] -= params.rate * (d + params.momentum * v);
  //#else
  parameter[i] -= params.rate * v;
  //#end
}
