// Stochastic gradient descent with momentum, in PyTorch's form, of several parameters:
//   d = gradient + decay · parameter      velocity = momentum · velocity + d
//   parameter −= rate · velocity,   or with NESTEROV   parameter −= rate · (d + momentum · velocity)
// With STATE the gradient is first multiplied with the factor in `state` (optim/gradient_state.wgsl), or nothing is done.
// One invocation updates one vec4. Parameter t of PARTS (1 to 8) has the workgroups from those of the one before it to
// end<t>, and count<t> invocations. NESTEROV, STATE: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  momentum: f32,
  //#for t in 0..PARTS
  end{{t}}: u32,
  count{{t}}: u32,
  rate{{t}}: f32,
  decay{{t}}: f32,
  //#end
}

//#for t in 0..PARTS
@group(0) @binding({{t}}) var<storage, read_write> parameter{{t}}: array<vec4f>;
@group(0) @binding(1{{t}}) var<storage, read> gradient{{t}}: array<vec4f>;
@group(0) @binding(2{{t}}) var<storage, read_write> velocity{{t}}: array<vec4f>;
//#end
//#if STATE
@group(0) @binding(40) var<storage, read> state: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = id.x + id.y * groups.x;
  //#if STATE
  if (state[1] != 0.0) {
    return;
  }
  let factor = state[0];
  //#end
  var start = 0u;
  //#for t in 0..PARTS
  if (group >= start && group < params.end{{t}}) {
    let i = (group - start) * {{WORKGROUP}}u + lane;
    if (i < params.count{{t}}) {
      var g = gradient{{t}}[i];
      //#if STATE
      g *= factor;
      //#end
      let d = g + params.decay{{t}} * parameter{{t}}[i];
      let v = params.momentum * velocity{{t}}[i] + d;
      velocity{{t}}[i] = v;
      //#if NESTEROV
      parameter{{t}}[i] -= params.rate{{t}} * (d + params.momentum * v);
      //#else
      parameter{{t}}[i] -= params.rate{{t}} * v;
      //#end
    }
  }
  start = params.end{{t}};
  //#end
}
