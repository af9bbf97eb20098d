// confidence[i] /= largest for rows without label; largest: summary[0] of graph/pseudo_label.wgsl. Nothing when that is 0.
//
// confidence, label: [rows]. One invocation takes one row. WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
}

@group(0) @binding(0) var<storage, read_write> confidence: array<f32>;
@group(0) @binding(1) var<storage, read> label: array<u32>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let largest = bitcast<f32>(summary[0]);
  if (row < params.rows && label[row] == 0u && largest > 0.0) {
    confidence[row] /= largest;
  }
}
