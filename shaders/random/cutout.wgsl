// y[n, h, w, c] = value inside the window of picture n, else x[n, h, w, c]
// windows[n] = (top, left, bottom, right), bottom and right excluded. x, y: [images, height, row], row = width · channels
//
// Invocation (x; y; z) makes element x of line y of picture z. WORKGROUP: invocations of a workgroup.
struct Params {
  height: u32,
  row: u32,
  channels: u32,
  value: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> windows: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.row) {
    return;
  }
  let window = windows[id.z];
  let column = id.x / params.channels;
  let inside = id.y >= window.x && id.y < window.z && column >= window.y && column < window.w;
  let at = (id.z * params.height + id.y) * params.row + id.x;
  y[at] = select(x[at], params.value, inside);
}
