// table[indices[i]] = x[i] for the rows i with mask[i] > 0; of several with one index the last. An index beyond the table writes nothing.
// table: [table_rows, columns], x: [rows, columns], indices, mask: [rows]
//
// One invocation writes one element, unless a later row writes it: there are as many rows as pictures in a batch.
// WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns: u32,
  table_rows: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> table: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (at >= params.rows * params.columns) {
    return;
  }
  let i = at / params.columns;
  let row = indices[i];
  if (row >= params.table_rows || !(mask[i] > 0.0)) {
    return;
  }
  for (var j = i + 1u; j < params.rows; j++) {
    if (indices[j] == row && mask[j] > 0.0) {
      return;
    }
  }
  table[row * params.columns + at - i * params.columns] = x[at];
}
