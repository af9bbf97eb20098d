// Moments of each channel from those of the rows of each rank (Chan, Golub & LeVeque 1979), in the order of the ranks, and the
// running statistics; as norm/merge.wgsl, with
//
//   mean, M2 of two parts a and b:  δ = mean_b − mean_a,  mean = mean_a + δ·n_b/n,  M2 = M2_a + M2_b + δ²·n_a·n_b/n
//
// parts: [ranks, 2, channels], means before M2, rows: [ranks], moments: [2, channels].   One invocation makes one channel.
// WORKGROUP: invocations of a workgroup.
struct Params {
  ranks: u32,
  channels: u32,
  epsilon: f32,
  momentum: f32,
}

@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read_write> moments: array<f32>;
@group(0) @binding(3) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> running_variance: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channel = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (channel >= params.channels) {
    return;
  }
  var total = 0.0;
  var mean = 0.0;
  var squares = 0.0;
  for (var rank = 0u; rank < params.ranks; rank++) {
    let at = 2u * rank * params.channels + channel;
    let count = rows[rank];
    let delta = parts[at] - mean;
    squares += parts[at + params.channels] + delta * delta * count * (total / (total + count));
    total += count;
    mean += delta * (count / total);
  }
  moments[channel] = mean;
  moments[params.channels + channel] = 1.0 / sqrt(squares / total + params.epsilon);
  running_mean[channel] += params.momentum * (mean - running_mean[channel]);
  running_variance[channel] += params.momentum * (squares / max(total - 1.0, 1.0) - running_variance[channel]);
}
