// y[n, i, j, c] = x[n, row_n + i, column_n + step_n · j, c], and 0 where that lies outside of x
//
// Crops, flips (step −1) and, with the window turned round, their gradient.
// One invocation (j, c; i; n) makes one Element: a vec4 of channels with VECTOR (C is a multiple of 4), else one channel.
// WORKGROUP: invocations of a workgroup.
// Layouts: x [images, in_height, in_width, C] and y [images, out_height, out_width, C], windows of the batch that start
// at first_image; places [N] of (row, column, step, unused), whole.
struct Params {
  in_height: u32,
  in_width: u32,
  channels: u32, // in Elements
  out_height: u32,
  out_width: u32,
  first_image: u32,
}

//#use number/element

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> places: array<vec4i>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let j = id.x / params.channels;
  if (j >= params.out_width) {
    return;
  }
  let c = id.x - j * params.channels;
  let place = places[params.first_image + id.z];
  let h = u32(place.x + i32(id.y)); // wraps to a large number below 0
  let w = u32(place.y + place.z * i32(j));
  let inside = h < params.in_height && w < params.in_width;
  let at = select(0u, ((id.z * params.in_height + h) * params.in_width + w) * params.channels + c, inside);
  y[(id.z * params.out_height + id.y) * params.out_width * params.channels + id.x] = select(Element(), x[at], inside);
}
