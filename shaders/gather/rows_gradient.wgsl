// dtable[v] += Σ dy[i] over the places i of row v, in ascending order.   rows of `columns`
// places[starts[v]] … places[starts[v + 1] − 1] are the places of v, from gather/order.wgsl. dtable: the rows from first_row
// on, `rows` of them. dy comes in windows: this call has its rows first_place … first_place + place_count − 1.
//
// One invocation makes one element of dtable. FIRST: the sum starts at 0 instead of what is there.   VECTOR: rows are whole
// vec4s and columns counts these.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns: u32,
  first_row: u32,
  first_place: u32,
  place_count: u32,
}

//#use number/element

@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read_write> dtable: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (at >= params.rows * params.columns) {
    return;
  }
  let row = at / params.columns;
  let column = at - row * params.columns;
  let v = params.first_row + row;
  //#if FIRST
  var sum = Element();
  //#else
  var sum = dtable[at];
  //#end
  let end = starts[v + 1u];
  for (var p = starts[v]; p < end; p++) {
    // A place before the window wraps to a number above every row of it.
    let place = places[p] - params.first_place;
    if (place < params.place_count) {
      sum += dy[place * params.columns + column];
    }
  }
  dtable[at] = sum;
}
