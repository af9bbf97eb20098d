// Adam (Kingma & Ba 2015), and AdamW (Loshchilov & Hutter 2019) with DECOUPLED weight decay:
//   d = gradient, plus decay · parameter unless DECOUPLED
//   first = β1·first + (1 − β1)·d      second = β2·second + (1 − β2)·d²
//   parameter −= rate · (first / correction1) / (√(second / correction2) + ε),  correction_i = 1 − β_i^step
//   with DECOUPLED also  parameter −= rate · decay · parameter
// One invocation updates one vec4. WORKGROUP: invocations of a workgroup.
struct Params {
  count4: u32,
  rate: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  decay: f32,
  correction1: f32,
  correction2: f32,
}

@group(0) @binding(0) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> second: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count4) {
    return;
  }
  var p = parameter[i];
  //#if DECOUPLED
  let d = gradient[i];
  p -= params.rate * params.decay * p;
  //#else
  let d = gradient[i] + params.decay * p;
  //#end
  let m = params.beta1 * first[i] + (1.0 - params.beta1) * d;
  let v = params.beta2 * second[i] + (1.0 - params.beta2) * d * d;
  first[i] = m;
  second[i] = v;
  parameter[i] = p - params.rate * (m / params.correction1) / (sqrt(v / params.correction2) + params.epsilon);
}
