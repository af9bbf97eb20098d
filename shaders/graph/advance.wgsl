// z += factor · p,  r −= factor · q, and the first stage of the new r·r:   parts[s, :] = Σ r[i, :]² over the rows i of part s
//
// Without MOVE only the sums of r are made. r, z, p, q: [rows, 4·columns4], factor: [4·columns4], parts: [parts, 4·columns4].
// One invocation takes four columns of the rows_per_part rows of one part.
// MOVE: true or false.   WORKGROUP: invocations of a workgroup.
struct Params {
  rows: u32,
  columns4: u32,
  parts: u32,
  rows_per_part: u32,
}

@group(0) @binding(0) var<storage, read_write> r: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> parts: array<vec4f>;
//#if MOVE
@group(0) @binding(2) var<storage, read_write> z: array<vec4f>;
@group(0) @binding(3) var<storage, read> p: array<vec4f>;
@group(0) @binding(4) var<storage, read> q: array<vec4f>;
@group(0) @binding(5) var<storage, read> factor: array<vec4f>;
//#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (i >= params.parts * params.columns4) {
    return;
  }
  let part = i / params.columns4;
  let c = i - part * params.columns4;
  let first = part * params.rows_per_part;
  //#if MOVE
  let alpha = factor[c];
  //#end
  var squares = vec4f();
  for (var row = first; row < min(first + params.rows_per_part, params.rows); row++) {
    let at = row * params.columns4 + c;
    //#if MOVE
    let rest = r[at] - alpha * q[at];
    r[at] = rest;
    z[at] += alpha * p[at];
    //#else
    let rest = r[at];
    //#end
    squares += rest * rest;
  }
  parts[i] = squares;
}
