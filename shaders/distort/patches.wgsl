// Copies square patches of a picture to other places, one after the other: a later one copies what earlier ones have left.
// moves: u32 [copies, 4], rows and columns of the corners: (from row, from column, to row, to column). y: [height, width, 3], changed in
// place; side: at most 16.
//
// One workgroup of 16 x 16 does it all, an invocation one pixel of each patch.
struct Params {
  width: u32,
  side: u32,
  copies: u32,
}

@group(0) @binding(0) var<storage, read> moves: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(16, 16)
fn main(@builtin(local_invocation_id) local: vec3u) {
  let inside = local.x < params.side && local.y < params.side;
  for (var i = 0u; i < params.copies; i++) {
    let places = moves[i];
    let source = 3u * ((places.x + local.y) * params.width + places.y + local.x);
    let goal = 3u * ((places.z + local.y) * params.width + places.w + local.x);
    var pixel = vec3f();
    if (inside) {
      pixel = vec3f(y[source], y[source + 1u], y[source + 2u]);
    }
    // A patch may overlap its goal: all of it is read before any of it is written, and written before the next is read.
    storageBarrier();
    if (inside) {
      y[goal] = pixel.x;
      y[goal + 1u] = pixel.y;
      y[goal + 2u] = pixel.z;
    }
    storageBarrier();
  }
}
