// Pseudo-labels and their confidence from the propagated mass z of each row, in place:
//
//   labelled:    z[i] = y[i]                          confidence = 1          (with KEEP; else as the others)
//   reached:     z[i] = max(z[i], 0) / Σ max(z[i], 0)    confidence = 1 − H(z[i]) / ln m,  H(p) = −Σ p ln p
//   otherwise:   z[i] = 1/m                           confidence = 0          (the sum is 0)
//
// z, y: [rows, m]; label: [rows], 0 for rows without one; confidence: [rows]. summary[0]: number of rows not reached.
// One invocation makes one row. KEEP: true or false. WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read_write> z: array<f32>;
@group(0) @binding(1) var<storage, read_write> confidence: array<f32>;
@group(0) @binding(2) var<storage, read_write> summary: array<atomic<u32>>;
//#if KEEP
@group(0) @binding(3) var<storage, read> y: array<f32>;
@group(0) @binding(4) var<storage, read> label: array<u32>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let first = row * params.columns;
  let end = first + params.columns;
  //#if KEEP
  if (label[row] > 0u) {
    for (var i = first; i < end; i++) {
      z[i] = y[i];
    }
    confidence[row] = 1.0;
    return;
  }
  //#end
  var sum = 0.0;
  for (var i = first; i < end; i++) {
    sum += max(z[i], 0.0);
  }
  if (sum > 0.0) {
    var entropy = 0.0;
    for (var i = first; i < end; i++) {
      let share = max(z[i], 0.0) / sum;
      z[i] = share;
      if (share > 0.0) {
        entropy -= share * log(share);
      }
    }
    confidence[row] = clamp(1.0 - entropy / log(f32(params.columns)), 0.0, 1.0);
  } else {
    for (var i = first; i < end; i++) {
      z[i] = 1.0 / f32(params.columns);
    }
    confidence[row] = 0.0;
    atomicAdd(&summary[0], 1u);
  }
}
