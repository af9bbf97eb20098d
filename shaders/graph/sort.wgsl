// Sorts the entries of each row of a sparse matrix by column, then value, and finds what the row is scaled by:
//
//   scale[i] = 1 / √d_i,  d_i = Σ of the row's values in that order, 0 replaced by 1
//
// row_start: [rows + 1]. columns, values: entries, sorted in place. scale: [rows].
// One invocation sorts one row with a heap, which needs no room and n log n steps also for a hub with thousands of entries.
// WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
}

@group(0) @binding(0) var<storage, read> row_start: array<u32>;
@group(0) @binding(1) var<storage, read_write> columns: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> scale: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Puts (column, value) in the heap of `count` entries at `first`, from the free place `root` down.
fn sift(first: u32, count: u32, root: u32, column: u32, value: f32) {
  var place = root;
  loop {
    var child = 2u * place + 1u;
    if (child >= count) {
      break;
    }
    var child_column = columns[first + child];
    var child_value = values[first + child];
    if (child + 1u < count) {
      let right_column = columns[first + child + 1u];
      let right_value = values[first + child + 1u];
      if (right_column > child_column || (right_column == child_column && right_value > child_value)) {
        child += 1u;
        child_column = right_column;
        child_value = right_value;
      }
    }
    if (child_column < column || (child_column == column && child_value <= value)) {
      break;
    }
    columns[first + place] = child_column;
    values[first + place] = child_value;
    place = child;
  }
  columns[first + place] = column;
  values[first + place] = value;
}

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (row >= params.rows) {
    return;
  }
  let first = row_start[row];
  let count = row_start[row + 1u] - first;
  for (var i = count / 2u; i > 0u; i--) {
    sift(first, count, i - 1u, columns[first + i - 1u], values[first + i - 1u]);
  }
  for (var end = count; end > 1u; end--) {
    let column = columns[first + end - 1u];
    let value = values[first + end - 1u];
    columns[first + end - 1u] = columns[first];
    values[first + end - 1u] = values[first];
    sift(first, end - 1u, 0u, column, value);
  }
  var degree = 0.0;
  for (var i = 0u; i < count; i++) {
    degree += values[first + i];
  }
  scale[row] = 1.0 / sqrt(select(degree, 1.0, degree == 0.0));
}
