// dx[n, h, w, c] = dy[n, c] / (height · width)
//
// One invocation (c; h; n) makes one line of Elements: vec4s of channels with VECTOR (C is a multiple of 4), else channels.
// WORKGROUP: invocations of a workgroup.
// Layouts: dy [N, C], whole; dx [images, height, width, C], a window of the batch that starts at first_image.
struct Params {
  height: u32,
  width: u32,
  channels: u32, // in Elements
  first_image: u32,
}

//#use number/element

@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read_write> dx: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.channels) {
    return;
  }
  let value = dy[(params.first_image + id.z) * params.channels + id.x] / f32(params.height * params.width);
  var at = (id.z * params.height + id.y) * params.width * params.channels + id.x;
  for (var w = 0u; w < params.width; w++) {
    dx[at] = value;
    at += params.channels;
  }
}
