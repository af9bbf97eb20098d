// y[line, w, c] = x[line, w − before, c] where x has such a pixel and channel, 0 elsewhere: lines of pictures with zeros in
// front and behind, channels filled with zeros to vec4s. Then the pixels under a line of a kernel lie side by side.
// x: [lines, x_width, channels], y: [lines, y_width, channels4] in vec4s
//
// One invocation makes one vec4 of y. WORKGROUP: invocations of a workgroup.
struct Params {
  lines: u32,
  x_width: u32,
  y_width: u32,
  before: u32,
  channels: u32,
  channels4: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  let pixel = index / params.channels4;
  let line = pixel / params.y_width;
  if (line >= params.lines) {
    return;
  }
  let channel = 4u * (index - pixel * params.channels4);
  // Wraps to a great number in front of the first pixel.
  let w = pixel - line * params.y_width - params.before;
  var value = vec4f();
  if (w < params.x_width) {
    let at = (line * params.x_width + w) * params.channels + channel;
    let left = params.channels - channel;
    value.x = x[at];
    if (left > 1u) {
      value.y = x[at + 1u];
    }
    if (left > 2u) {
      value.z = x[at + 2u];
    }
    if (left > 3u) {
      value.w = x[at + 3u];
    }
  }
  y[index] = value;
}
