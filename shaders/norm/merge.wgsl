// Moments of each channel from those of blocks of rows (Chan, Golub & LeVeque 1979), and the running statistics:
//
//   mean, M2 of two parts a and b:  δ = mean_b − mean_a,  mean = mean_a + δ·n_b/n,  M2 = M2_a + M2_b + δ²·n_a·n_b/n
//   moments = (mean, 1/√(M2/rows + epsilon))
//   running_mean     += momentum · (mean − running_mean)
//   running_variance += momentum · (M2/(rows − 1) − running_variance)
//
// Under OWN the rows are those of one of several ranks: moments = (mean, M2), which norm/merge_ranks.wgsl merges.
//
// blocks: [blocks, 2, channels] as norm/moments.wgsl makes them; all blocks of one window but its last have BLOCK rows,
// windows have window_rows rows. moments: [2, channels].   One invocation makes one channel.
// BLOCK: rows of a block.   OWN: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  window_rows: u32,
  channels: u32,
  epsilon: f32,
  momentum: f32,
}

@group(0) @binding(0) var<storage, read> blocks: array<f32>;
@group(0) @binding(1) var<storage, read_write> moments: array<f32>;
//#if OWN
//#else
@group(0) @binding(2) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> running_variance: array<f32>;
//#end
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
  // Blocks are merged in runs and the runs with each other, which keeps the rounding of long sums small.
  var run_total = 0.0;
  var run_mean = 0.0;
  var run_squares = 0.0;
  var run_blocks = 0u;
  var at = channel;
  for (var window = 0u; window < params.rows; window += params.window_rows) {
    let window_end = min(window + params.window_rows, params.rows);
    for (var row = window; row < window_end; row += {{BLOCK}}u) {
      let count = f32(min({{BLOCK}}u, window_end - row));
      let delta = blocks[at] - run_mean;
      run_squares += blocks[at + params.channels] + delta * delta * count * (run_total / (run_total + count));
      run_total += count;
      run_mean += delta * (count / run_total);
      run_blocks++;
      at += 2u * params.channels;
      if (run_blocks == 128u || row + {{BLOCK}}u >= params.rows) {
        let step = run_mean - mean;
        squares += run_squares + step * step * run_total * (total / (total + run_total));
        total += run_total;
        mean += step * (run_total / total);
        run_total = 0.0;
        run_mean = 0.0;
        run_squares = 0.0;
        run_blocks = 0u;
      }
    }
  }
  moments[channel] = mean;
  //#if OWN
  moments[params.channels + channel] = squares;
  //#else
  moments[params.channels + channel] = 1.0 / sqrt(squares / total + params.epsilon);
  running_mean[channel] += params.momentum * (mean - running_mean[channel]);
  running_variance[channel] += params.momentum * (squares / max(total - 1.0, 1.0) - running_variance[channel]);
  //#end
}
