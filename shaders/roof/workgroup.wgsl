// The roof of workgroup memory: y[i] = Σ of the TURNS·UNROLL vec4s that invocation i reads from a tile of its workgroup,
// neighbouring invocations neighbouring vec4s, each time one further on, around the end of the tile.
//
// x: a power of two of vec4f, copied into the tile once, over and over if need be.   y: [invocations] f32.
// TILE: vec4s, a power of two and a multiple of WORKGROUP, at most 1024 (16 KiB).   UNROLL: 1 or more.
// TURNS: of the loop.   WORKGROUP: invocations of a workgroup.

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> tile: array<vec4f, {{TILE}}>;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var j = lane; j < {{TILE}}u; j += {{WORKGROUP}}u) {
    tile[j] = x[j & (arrayLength(&x) - 1u)];
  }
  workgroupBarrier();
  //#for u in 0..UNROLL
  var sum_{{u}} = vec4f();
  //#end
  var at = lane;
  for (var turn = 0u; turn < {{TURNS}}u; turn++) {
    //#for u in 0..UNROLL
    sum_{{u}} += tile[(at + {{u}}u) & ({{TILE}}u - 1u)];
    //#end
    at += {{UNROLL}}u;
  }
  var total = vec4f();
  //#for u in 0..UNROLL
  total += sum_{{u}};
  //#end
  y[id.x] = total.x + total.y + total.z + total.w;
}
