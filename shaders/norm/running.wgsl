// moments = (running_mean, 1/√(running_variance + epsilon)): what evaluation normalises with.
// running_mean, running_variance: [channels], moments: [2, channels].   One invocation makes one channel.
// WORKGROUP: invocations of a workgroup.
struct Params {
  channels: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> running_mean: array<f32>;
@group(0) @binding(1) var<storage, read> running_variance: array<f32>;
@group(0) @binding(2) var<storage, read_write> moments: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channel = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (channel < params.channels) {
    moments[channel] = running_mean[channel];
    moments[params.channels + channel] = 1.0 / sqrt(running_variance[channel] + params.epsilon);
  }
}
