// What the optimiser does with the gradients of a step, from sums = (Σ squares, number of elements that are not finite):
//   skip = something is not finite      norm = √Σ      factor = 1 / scale, with CLIP times min(1, maximum_norm / (norm + 1e-6))
// Clipping is PyTorch's `clip_grad_norm_`. With SCALED the loss scale then moves as in its `GradScaler`:
//   skipped: scale ·= backoff, good = 0      else good += 1, and at growth_interval: scale ·= growth, good = 0
// It stays within 2^-100 … 2^100, so that it and its reciprocal are normal numbers.
//
// One invocation does all of it. state: [factor, skip, norm, scale, good steps, taken steps, skipped steps, 0]; the counts
// are exact up to 2^24 steps.   CLIP, SCALED: true or false.
struct Params {
  maximum_norm: f32,
  growth: f32,
  backoff: f32,
  growth_interval: f32,
}

@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> state: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() {
  let squares = sums[0];
  // Elements may be finite while the sum of their squares is not.
  let skip = sums[1] > 0.0 || (bitcast<u32>(squares) & 0x7f800000u) == 0x7f800000u;
  let norm = sqrt(select(squares, 0.0, skip));
  var factor = 1.0 / state[3];
  //#if CLIP
  factor *= min(1.0, params.maximum_norm / (norm + 1e-6));
  //#end
  state[0] = factor;
  state[1] = select(0.0, 1.0, skip);
  state[2] = norm;
  state[5] += select(1.0, 0.0, skip);
  state[6] += select(0.0, 1.0, skip);
  //#if SCALED
  var scale = state[3];
  var good = state[4] + 1.0;
  if (skip) {
    scale *= params.backoff;
    good = 0.0;
  } else if (good >= params.growth_interval) {
    scale *= params.growth;
    good = 0.0;
  }
  state[3] = clamp(scale, exp2(-100.0), exp2(100.0));
  state[4] = good;
  //#end
}
