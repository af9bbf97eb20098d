// Adam (Kingma & Ba 2015), and AdamW (Loshchilov & Hutter 2019) with DECOUPLED weight decay, of several parameters:
//   d = gradient, plus decay · parameter unless DECOUPLED
//   first = β1·first + (1 − β1)·d      second = β2·second + (1 − β2)·d²
//   parameter −= rate · (first / correction1) / (√(second / correction2) + ε),  correction_i = 1 − β_i^step
//   with DECOUPLED also  parameter −= rate · decay · parameter
// With STATE the gradient is first multiplied with the factor in `state` (optim/gradient_state.wgsl), or nothing is done,
// and `step` counts the steps taken there.
// One invocation updates one vec4. Parameter t of PARTS (1 to 8) has the workgroups from those of the one before it to
// end<t>, and count<t> invocations. DECOUPLED, STATE: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  //#if STATE
  log_beta1: f32,
  log_beta2: f32,
  //#else
  correction1: f32,
  correction2: f32,
  //#end
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
@group(0) @binding(2{{t}}) var<storage, read_write> first{{t}}: array<vec4f>;
@group(0) @binding(3{{t}}) var<storage, read_write> second{{t}}: array<vec4f>;
//#end
//#if STATE
@group(0) @binding(40) var<storage, read> state: array<f32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

//#if STATE
// 1 − β^n = 1 − e^x with x = n ln β: near x = 0, where that cancels, −x (1 + x/2 (1 + x/3 (…))).
fn one_minus_power(log_beta: f32, n: f32) -> f32 {
  let x = n * log_beta;
  if (x < -0.5) {
    return 1.0 - exp(x);
  }
  var series = 1.0;
  for (var k = 9.0; k > 1.5; k -= 1.0) {
    series = 1.0 + x / k * series;
  }
  return -x * series;
}
//#end

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
  let correction1 = one_minus_power(params.log_beta1, state[5]);
  let correction2 = one_minus_power(params.log_beta2, state[5]);
  //#else
  let correction1 = params.correction1;
  let correction2 = params.correction2;
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
      var p = parameter{{t}}[i];
      //#if DECOUPLED
      let d = g;
      p -= params.rate{{t}} * params.decay{{t}} * p;
      //#else
      let d = g + params.decay{{t}} * p;
      //#end
      let m = params.beta1 * first{{t}}[i] + (1.0 - params.beta1) * d;
      let v = params.beta2 * second{{t}}[i] + (1.0 - params.beta2) * d * d;
      first{{t}}[i] = m;
      second{{t}}[i] = v;
      parameter{{t}}[i] = p - params.rate{{t}} * (m / correction1) / (sqrt(v / correction2) + params.epsilon);
    }
  }
  start = params.end{{t}};
  //#end
}
