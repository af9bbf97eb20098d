// y[n, c] = mean over h, w of x[n, h, w, c], summed line by line so that rounding stays small
//
// One invocation (c; 0; n) makes one Element: a vec4 of channels with VECTOR (C is a multiple of 4), else one channel.
// WORKGROUP: invocations of a workgroup.
// Layouts: x [images, height, width, C], a window of the batch that starts at first_image; y [N, C], whole.
struct Params {
  height: u32,
  width: u32,
  channels: u32, // in Elements
  first_image: u32,
}

//#use number/element

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.channels) {
    return;
  }
  var at = id.z * params.height * params.width * params.channels + id.x;
  var sum = Element();
  for (var h = 0u; h < params.height; h++) {
    var line = Element();
    for (var w = 0u; w < params.width; w++) {
      line += x[at];
      at += params.channels;
    }
    sum += line;
  }
  y[(params.first_image + id.z) * params.channels + id.x] = sum / f32(params.height * params.width);
}
