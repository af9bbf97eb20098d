// Adam (Kingma & Ba 2015), and AdamW (Loshchilov & Hutter 2019) with DECOUPLED weight decay:
//   d = gradient, plus decay · parameter unless DECOUPLED
//   first = β1·first + (1 − β1)·d      second = β2·second + (1 − β2)·d²
//   parameter −= rate · (first / correction1) / (√(second / correction2) + ε),  correction_i = 1 − β_i^step
//   with DECOUPLED also  parameter −= rate · decay · parameter
// With STATE the gradient is first multiplied with the factor in `state` (optim/gradient_state.wgsl), or nothing is done,
// and `step` counts the steps taken there.
// One invocation updates one vec4. DECOUPLED, STATE: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  rate: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  decay: f32,
  //#if STATE
  log_beta1: f32,
  log_beta2: f32,
  //#else
  correction1: f32,
  correction2: f32,
  //#end
}

@group(0) @binding(0) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> second: array<vec4f>;
//#if STATE
@group(0) @binding(4) var<storage, read> state: array<f32>;
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
  let correction1 = one_minus_power(params.log_beta1, state[5]);
  let correction2 = one_minus_power(params.log_beta2, state[5]);
  //#else
  let correction1 = params.correction1;
  let correction2 = params.correction2;
  //#end
  var p = parameter[i];
  //#if DECOUPLED
  let d = g;
  p -= params.rate * params.decay * p;
  //#else
  let d = g + params.decay * p;
  //#end
  let m = params.beta1 * first[i] + (1.0 - params.beta1) * d;
  let v = params.beta2 * second[i] + (1.0 - params.beta2) * d * d;
  first[i] = m;
  second[i] = v;
  parameter[i] = p - params.rate * (m / correction1) / (sqrt(v / correction2) + params.epsilon);
}
