// Entries of A + Aᵀ in the rows of a sparse matrix: edge t from row i to n with weight w becomes the entry (i, n) at place t
// of row i, and the entry (n, i) at one of the places of row n behind its own edges. An edge of a row to itself, or to a
// point that does not exist, gets the value 0.
//
// indices, weights: [count] edges, `degree` of each row, from row first_row on. row_start: [points + 1]. in_degree: [points],
// counted down to 0. columns, values: [2 · degree · points]. Which of its places an incoming edge gets depends on the order
// of the invocations; graph/sort.wgsl takes that away.
// One invocation takes one edge. WORKGROUP: invocations of a workgroup.
struct Params {
  count: u32,
  degree: u32,
  first_row: u32,
  points: u32,
}

@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> row_start: array<u32>;
@group(0) @binding(3) var<storage, read_write> in_degree: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> columns: array<u32>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.count) {
    return;
  }
  let line = i / params.degree;
  let row = params.first_row + line;
  let index = indices[i];
  let column = select(row, index, index < params.points);
  let weight = select(weights[i], 0.0, column == row);

  let own = row_start[row] + i - line * params.degree;
  columns[own] = column;
  values[own] = weight;
  let incoming = row_start[column] + params.degree + atomicSub(&in_degree[column], 1u) - 1u;
  columns[incoming] = row;
  values[incoming] = weight;
}
