// dscale[block, c] = Σ dy[row, c] · x̂[row, c]     dshift[block, c] = Σ dy[row, c]     over the rows of a block, in order
// x, dy: [rows, columns], moments: (m, r) of what was normalised together, x̂ = (x − m) · r; dscale, dshift: [blocks, columns], this
// call writing the blocks from first_block on
//
// One invocation makes one column of one block. BLOCK: rows of a block.   VECTOR: rows are whole vec4s and columns counts these.
// WIDTH: 0 where rows were normalised one by one; else `positions` rows were a picture, WIDTH columns of which were a group.
// WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns: u32,
  first_block: u32,
  //#if WIDTH != 0
  positions: u32,
  groups: u32,
  //#end
}

//#use number/element

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read> moments: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> dscale: array<Element>;
@group(0) @binding(4) var<storage, read_write> dshift: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let block = index / params.columns;
  let column = index - block * params.columns;
  let first = block * {{BLOCK}}u;
  if (first >= params.rows) {
    return;
  }
  var along = Element();
  var sum = Element();
  //#if WIDTH != 0
  var picture = first / params.positions;
  var position = first - picture * params.positions;
  let group = column / {{WIDTH}}u;
  //#end
  for (var row = first; row < min(first + {{BLOCK}}u, params.rows); row++) {
    let at = row * params.columns + column;
    let g = dy[at];
    //#if WIDTH == 0
    let own = row;
    //#else
    let own = picture * params.groups + group;
    position++;
    if (position == params.positions) {
      position = 0u;
      picture++;
    }
    //#end
    along += g * ((x[at] - moments[own].x) * moments[own].y);
    sum += g;
  }
  let place = (params.first_block + block) * params.columns + column;
  dscale[place] = along;
  dshift[place] = sum;
}
